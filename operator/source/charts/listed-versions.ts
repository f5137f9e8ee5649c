import type { Slices } from '../../observe/event-loop-slices.ts';
import { parseVersion } from '../semver.ts';
import { TaggedVersions } from '../tagged-versions.ts';

/** What a registry lists may be long, and is worked on between others' turns (A15): so many at once. */
const PIECE = 64;

/** Only what is a version: a registry has other tags, too. In their order. */
export function versionsAmong(texts: readonly string[], slices: Slices): Promise<string[]> {
  return among(texts, slices, (text) => parseVersion(text) !== undefined);
}

/** Of versions those that Helm takes of the tags of a registry: without a "v" and leading zeros. */
export function strictAmong(versions: readonly string[], slices: Slices): Promise<string[]> {
  const strict = /^(?:0|[1-9][0-9]{0,14})\.(?:0|[1-9][0-9]{0,14})\.(?:0|[1-9][0-9]{0,14})(?:[-+]|$)/;
  return among(versions, slices, (version) => strict.test(version));
}

async function among(
  texts: readonly string[],
  slices: Slices,
  isWanted: (text: string) => boolean,
): Promise<string[]> {
  const wanted: string[] = [];
  for (let from = 0; from < texts.length; from += PIECE) {
    await slices.pause();
    for (const text of texts.slice(from, from + PIECE)) if (isWanted(text)) wanted.push(text);
  }
  return wanted;
}

export async function newestFirst(versions: readonly string[], slices: Slices): Promise<string[]> {
  const { descending } = await TaggedVersions.read(versions, undefined, slices);
  return descending.map(({ name }) => name);
}

/** The versions of a chart as the index.yaml of a Helm repository has them; JSON is YAML. */
export async function asIndex(chart: string, versions: readonly string[], slices: Slices): Promise<Buffer> {
  const parts = [Buffer.from(`{"entries":{${JSON.stringify(chart)}:[`)];
  for (let from = 0; from < versions.length; from += PIECE) {
    await slices.pause();
    const entries = versions
      .slice(from, from + PIECE)
      .map((version) => JSON.stringify({ version, urls: ['-'] }));
    parts.push(Buffer.from(`${from === 0 ? '' : ','}${entries.join(',')}`));
  }
  return Buffer.concat([...parts, Buffer.from(']}}')]);
}

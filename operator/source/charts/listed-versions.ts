import type { Slices } from '../../observe/event-loop-slices.ts';
import { parseVersion } from '../semver.ts';
import { TaggedVersions } from '../tagged-versions.ts';

/** What a registry lists may be long, and is worked on between others' turns (A15): so many at once. */
const PIECE = 64;

/** Only what is a version: a registry has other tags, too. In their order. */
export async function versionsAmong(texts: readonly string[], slices: Slices): Promise<string[]> {
  const versions: string[] = [];
  for (let from = 0; from < texts.length; from += PIECE) {
    await slices.pause();
    for (const text of texts.slice(from, from + PIECE))
      if (parseVersion(text) !== undefined) versions.push(text);
  }
  return versions;
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

import { membersOf } from '../api/foreign-object.ts';
import type { Manifest } from './manifest.ts';

/** A member by which whoever writes a manifest stops what it describes. */
interface Rest {
  /** Where it stands. */
  path: readonly string[];
  value: string | boolean;
  /** Of which kind alone, with its group; absent: of any. */
  only?: string;
}

const RESTS: readonly Rest[] = [
  ...['suspend', 'suspended', 'paused'].map((field) => ({ path: ['spec', field], value: true })),
  { path: ['spec', 'running'], value: false, only: 'kubevirt.io/VirtualMachine' },
  { path: ['spec', 'runStrategy'], value: 'Halted', only: 'kubevirt.io/VirtualMachine' },
  {
    path: ['metadata', 'annotations', 'cnpg.io/hibernation'],
    value: 'on',
    only: 'postgresql.cnpg.io/Cluster',
  },
];

/**
 * Whether the manifest itself suspends, pauses or halts its object, which is then as it is wanted while nothing of it
 * runs. Not where the field is left to others (`ignore`: JSON pointers).
 */
export function isAtRest({ text }: Pick<Manifest, 'text'>, ignore: readonly string[]): boolean {
  const written = RESTS.filter(({ path, value }) =>
    text.includes(`"${path.at(-1)}":${JSON.stringify(value)}`),
  );
  if (written.length === 0) return false;
  const manifest = membersOf(JSON.parse(text));
  const kind = `${String(manifest['apiVersion']).split('/')[0]}/${manifest['kind']}`;
  return written.some(
    ({ path, value, only = kind }) => only === kind && at(manifest, path) === value && !isLeft(path, ignore),
  );
}

function at(manifest: unknown, path: readonly string[]): unknown {
  return path.reduce((found: unknown, name) => membersOf(found)[name], manifest);
}

/** Whether the member, or what it stands in, is left to others. */
function isLeft(path: readonly string[], ignore: readonly string[]): boolean {
  const pointers = path.map((_, end) => pointerTo(path.slice(0, end + 1)));
  return ignore.some((left) => left === '' || pointers.includes(left));
}

function pointerTo(path: readonly string[]): string {
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

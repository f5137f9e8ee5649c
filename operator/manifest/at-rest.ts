import { membersOf } from '../api/foreign-object.ts';
import type { Manifest } from './manifest.ts';

/** Fields by which whoever writes a manifest stops what it describes; true in each of them. */
const RESTS = ['suspend', 'suspended', 'paused'] as const;

/**
 * Whether the manifest itself suspends or pauses its object, which is then as it is wanted while nothing of it runs.
 * Not where the field is left to others (`ignore`: JSON pointers).
 */
export function isAtRest({ text }: Pick<Manifest, 'text'>, ignore: readonly string[]): boolean {
  if (!RESTS.some((field) => text.includes(`"${field}":true`))) return false;
  const spec = membersOf(membersOf(JSON.parse(text))['spec']);
  return RESTS.some(
    (field) =>
      spec[field] === true &&
      !ignore.some((path) => path === '/spec' || path === `/spec/${field}` || path === ''),
  );
}

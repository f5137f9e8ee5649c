/** Where digits for people, and addresses, are made of a digest. */
const ALLOWED = ['operator/controller/candidate/revision.ts', 'operator/manifest/digest.ts'];

/** A digest that is made or named just before a part of it is taken. */
const SHORTENED =
  /\b(?:(?:sha256|sha256Name|digestOf|digest)\([^;]*?\)|\w*(?:[dD]igest|[hH]ash))\s*\.(?:slice|substring|substr|subarray)\(/g;

/** The sentences to print for digests of which a source of the operator takes a part: two that share it can be made (S18). */
export function shortenedDigests(file: string, source: string): string[] {
  if (!file.startsWith('operator/') || file.endsWith('.test.ts') || ALLOWED.includes(file)) return [];
  return [...source.matchAll(SHORTENED)].map(({ index, 0: text }) => {
    const line = source.slice(0, index + text.length).split('\n').length;
    return `${file}:${line}: a part of a digest is taken; keep and compare it whole, by sha256Name where 64 digits are too long.`;
  });
}

/** Versions and ranges as Helm and Flux users write them: semver 2.0, ranges like Masterminds/semver and npm. */

export interface Version {
  major: number;
  minor: number;
  patch: number;
  prerelease: readonly string[];
}

/** Reads `1.2.3`, `v1.2.3`, `1.2.3-rc.1+build`; in tags, not in ranges, all three numbers are needed. */
export function parseVersion(text: string): Version | undefined {
  const match = /^v?(\d{1,15})\.(\d{1,15})\.(\d{1,15})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(
    text,
  );
  if (!match) return undefined;
  const [, major, minor, patch, prerelease] = match;
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    prerelease: prerelease === undefined ? [] : prerelease.split('.'),
  };
}

/** Precedence as in semver 2.0, section 11. */
export function compareVersions(left: Version, right: Version): number {
  const numbers = left.major - right.major || left.minor - right.minor || left.patch - right.patch;
  if (numbers !== 0) return numbers;
  if (left.prerelease.length === 0 || right.prerelease.length === 0) {
    return right.prerelease.length - left.prerelease.length;
  }
  const length = Math.min(left.prerelease.length, right.prerelease.length);
  for (let index = 0; index < length; index++) {
    const order = compareIdentifiers(left.prerelease[index] ?? '', right.prerelease[index] ?? '');
    if (order !== 0) return order;
  }
  return left.prerelease.length - right.prerelease.length;
}

function compareIdentifiers(left: string, right: string): number {
  const numeric = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (numeric[0] && numeric[1]) return Number(left) - Number(right);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

type Predicate = (version: Version) => boolean;

/** Whether a version is in a range. */
export type Range = Predicate;

/**
 * Parses a range: comparisons (`=`, `!=`, `>`, `<`, `>=`, `<=`), `~1.2`, `^1.2`, wildcards (`1.x`, `*`), hyphens
 * (`1.2 - 1.4`), joined by spaces or commas (all must hold) and `||` (one must). Pre-releases match only in a
 * part that itself names one.
 *
 * @returns undefined when it is no range.
 */
export function parseRange(text: string): Range | undefined {
  const alternatives: Predicate[] = [];
  for (const part of text.split('||')) {
    const alternative = parseAll(part.trim());
    if (!alternative) return undefined;
    alternatives.push(alternative);
  }
  return (version) => alternatives.some((matches) => matches(version));
}

function parseAll(text: string): Predicate | undefined {
  const hyphens = text.replace(/(\S+)\s+-\s+(\S+)/g, '>=$1 <=$2');
  const terms = hyphens
    .replace(/([=!<>~^]+)\s+/g, '$1')
    .split(/[\s,]+/)
    .filter(Boolean);
  if (terms.length === 0) return undefined;
  const predicates: Predicate[] = [];
  for (const term of terms) {
    const predicate = parseTerm(term);
    if (!predicate) return undefined;
    predicates.push(predicate);
  }
  const prereleases = terms.some((term) => /\d-[0-9A-Za-z]/.test(term));
  return (version) =>
    (prereleases || version.prerelease.length === 0) && predicates.every((matches) => matches(version));
}

interface Partial {
  version: Version;
  /** How many of major, minor and patch are given. */
  given: number;
}

function parsePartial(text: string): Partial | undefined {
  const match =
    /^v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(
      text,
    );
  if (!match) return undefined;
  const numbers: number[] = [];
  for (const part of match.slice(1, 4)) {
    if (part === undefined || /[xX*]/.test(part)) break;
    numbers.push(Number(part));
  }
  const [major = 0, minor = 0, patch = 0] = numbers;
  const prerelease = match[4] === undefined ? [] : match[4].split('.');
  return { version: { major, minor, patch, prerelease }, given: numbers.length };
}

function parseTerm(term: string): Predicate | undefined {
  const [, operator = '', rest = ''] = /^(>=|=>|<=|=<|!=|~>|[=<>~^])?(.*)$/.exec(term) ?? [];
  const partial = parsePartial(rest);
  if (!partial) return undefined;
  const { version, given } = partial;
  const floor: Predicate = (other) => compareVersions(other, version) >= 0;
  const below =
    (limit: Version): Predicate =>
    (other) =>
      compareVersions(other, limit) < 0;
  const inside: Predicate = (other) => floor(other) && (given === 0 || below(after(version, given))(other));
  switch (operator) {
    case '':
    case '=':
      return given === 3 ? (other) => compareVersions(other, version) === 0 : inside;
    case '!=':
      return given === 3 ? (other) => compareVersions(other, version) !== 0 : (other) => !inside(other);
    case '>=':
    case '=>':
      return floor;
    case '<':
      return below(version);
    case '>':
      return given === 3
        ? (other) => compareVersions(other, version) > 0
        : (other) => floor(other) && !inside(other);
    case '<=':
    case '=<':
      return given === 3
        ? (other) => compareVersions(other, version) <= 0
        : (other) => !floor(other) || inside(other);
    case '~':
    case '~>':
      return given === 0
        ? floor
        : (other) => floor(other) && below(after(version, Math.min(given, 2)))(other);
    case '^':
      return given === 0 ? floor : (other) => floor(other) && below(caretLimit(version, given))(other);
    default:
      return undefined;
  }
}

/** The first version (its pre-releases included) that no longer shares the given numbers. */
function after({ major, minor, patch }: Version, given: number): Version {
  const prerelease = ['0'];
  if (given === 1) return { major: major + 1, minor: 0, patch: 0, prerelease };
  if (given === 2) return { major, minor: minor + 1, patch: 0, prerelease };
  return { major, minor, patch: patch + 1, prerelease };
}

/** `^` lets everything change after the first number that is not zero. */
function caretLimit(version: Version, given: number): Version {
  if (version.major > 0 || given === 1) return after(version, 1);
  if (version.minor > 0 || given === 2) return after(version, 2);
  return after(version, 3);
}

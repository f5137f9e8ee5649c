import { RANGE_OPERATOR, RANGE_VERSION, VERSION_RANGE } from '../api/v1alpha1/version-range.ts';

/**
 * Versions as in semver 2.0, and ranges as in Masterminds/semver 3.5, which Helm and Flux use; except that there
 * `~0.0.0` and `!=*` take every version, and `!=1.2` takes the pre-releases of 1.2, which nobody means.
 */

export interface Version {
  major: number;
  minor: number;
  patch: number;
  prerelease: readonly string[];
}

/** Reads `1.2.3`, `v1.2.3`, `1.2.3-rc.1+build`; in tags, not in ranges, all three numbers are needed. */
export function parseVersion(text: string): Version | undefined {
  // Linear: dots and plus signs end its parts.
  const match =
    /^v?(\d{1,15})\.(\d{1,15})\.(\d{1,15})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/.exec(
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
  const isNumeric = isNumber(left);
  if (isNumeric !== isNumber(right)) return isNumeric ? -1 : 1;
  if (isNumeric) return Number(left) - Number(right);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether an identifier consists of digits; without an expression, since it is asked millions of times. */
function isNumber(identifier: string): boolean {
  for (let at = 0; at < identifier.length; at += 1) {
    const code = identifier.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return identifier !== '';
}

type Predicate = (version: Version) => boolean;

/** Whether a version is in a range. */
export type Range = Predicate;

// Linear: on a field of the spec, which is short.
const grammar = new RegExp(VERSION_RANGE);
// Linear: the same.
const terms = new RegExp(
  `(?<from>${RANGE_VERSION}) +- +(?<to>${RANGE_VERSION})|(?:(?<operator>${RANGE_OPERATOR}) *)?(?<version>${RANGE_VERSION})`,
  'g',
);

/**
 * Parses a range: comparisons (`=`, `!=`, `>`, `<`, `>=`, `<=`), `~1.2`, `^1.2`, wildcards (`1.x`, `*`), hyphens
 * (`1.2 - 1.4`), joined by spaces or commas (all must hold) and `||` (one must). Pre-releases match only in a
 * part of which a term names one, and there they are compared by precedence: `>=1.0.0-0 <2` has 2.0.0-rc.1 in
 * it, which comes before 2.0.0, and `>=1.0.0-0 <2.0.0-0` has not.
 *
 * @returns undefined when it is no range: exactly what the API server refuses.
 */
export function parseRange(text: string): Range | undefined {
  if (!grammar.test(text)) return undefined;
  const alternatives = text.split('||').map(parseAll);
  return (version) => alternatives.some((matches) => matches(version));
}

function parseAll(text: string): Predicate {
  const predicates: Predicate[] = [];
  let prereleases = false;
  const add = (operator: string, version: string) => {
    const partial = parsePartial(version);
    prereleases ||= partial.version.prerelease.length > 0;
    predicates.push(predicateOf(operator, partial));
  };
  for (const { groups = {} } of text.matchAll(terms)) {
    const { from, to, operator = '', version = '' } = groups;
    if (from === undefined || to === undefined) add(operator, version);
    else {
      add('>=', from);
      add('<=', to);
    }
  }
  return (version) =>
    (prereleases || version.prerelease.length === 0) && predicates.every((matches) => matches(version));
}

interface Partial {
  version: Version;
  /** How many of major, minor and patch are given. */
  given: number;
}

/** @param text that the grammar has let pass. */
function parsePartial(text: string): Partial {
  // Linear: a hyphen or a plus sign ends the first part.
  const [, numbers = '', prerelease] = /^v?([^-+]*)(?:-([^+]*))?/.exec(text) ?? [];
  const given: number[] = [];
  for (const part of numbers.split('.')) {
    if (/[xX*]/.test(part)) break;
    given.push(Number(part));
  }
  const [major = 0, minor = 0, patch = 0] = given;
  return {
    version: { major, minor, patch, prerelease: prerelease === undefined ? [] : prerelease.split('.') },
    given: given.length,
  };
}

function predicateOf(operator: string, { version, given }: Partial): Predicate {
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
      return given === 3
        ? (other) => compareVersions(other, version) !== 0
        : (other) => !sharesNumbers(other, version, given);
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
      throw new Error(`there is no operator ${operator}`);
  }
}

function sharesNumbers(left: Version, right: Version, given: number): boolean {
  return (['major', 'minor', 'patch'] as const).slice(0, given).every((part) => left[part] === right[part]);
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

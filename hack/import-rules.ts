import { dirname, posix } from 'node:path';

/** One import statement: paths relative to the repository's root with `/`, or a package's name. */
export interface Import {
  file: string;
  /** 1-based. */
  line: number;
  /** What stands between the quotes. */
  specifier: string;
}

/**
 * The rooms of operator/, top to bottom. A room imports from levels below its own only; the rooms of one
 * level do not know each other.
 */
export const levels: readonly (readonly string[])[] = [
  ['main'],
  ['operator'],
  ['flags'],
  ['controller', 'webhook'],
  ['source', 'render', 'plan', 'apply', 'health', 'promote'],
  ['manifest', 'kube'],
  ['observe', 'retry'],
  ['api'],
];

/** The rooms of operator/controller/, top to bottom, by the same rule. */
export const controllerLevels: readonly (readonly string[])[] = [
  ['application'],
  ['environment', 'policy', 'promotion'],
  ['target', 'home'],
  ['candidate', 'cluster'],
  ['record'],
  ['work'],
];

/** Packages that are one room's business; elsewhere only where the paths begin as listed. */
const keptPackages: Readonly<Record<string, { readonly allowed: readonly string[]; readonly why: string }>> =
  {
    '@kubernetes/client-node': {
      allowed: ['operator/kube/', 'test/', 'hack/'],
      why: 'only operator/kube/ speaks to an API server; use what it exports',
    },
    ssh2: {
      allowed: ['operator/source/', 'test/'],
      why: 'only operator/source/ speaks to Git servers; use what it exports',
    },
    'isomorphic-git': {
      allowed: ['test/', 'plugin/local/clone.ts'],
      why: 'it is what tests compare with, and bounds neither memory nor work; operator/source/ reads Git',
    },
    yaml: {
      allowed: [
        'operator/kube/',
        'operator/controller/candidate/secrecy/redaction.ts',
        // Writes it, and reads none.
        'plugin/text/yaml.ts',
        'test/',
        'hack/',
      ],
      why: 'what users write as YAML is read by the engine, since parsing it holds up everybody; ask it',
    },
  };

/** All imports and re-exports of a TypeScript source. */
export function importsOf(file: string, source: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;
  return [...source.matchAll(pattern)].map((match) => ({
    file,
    line: source.slice(0, match.index + match[0].length).split('\n').length,
    specifier: match[1] ?? match[2] ?? '',
  }));
}

/** The sentence to print for an import that breaks a rule; undefined for a good one. */
export function objection(statement: Import): string | undefined {
  const said = statement.specifier.startsWith('.') ? roomObjection(statement) : packageObjection(statement);
  return said && `${statement.file}:${statement.line}: imports ${statement.specifier}: ${said}.`;
}

function packageObjection({ file, specifier }: Import): string | undefined {
  const name = Object.keys(keptPackages).find(
    (kept) => specifier === kept || specifier.startsWith(`${kept}/`),
  );
  const rule = name === undefined ? undefined : keptPackages[name];
  if (rule === undefined || rule.allowed.some((path) => file.startsWith(path))) return undefined;
  return rule.why;
}

function roomObjection({ file, specifier }: Import): string | undefined {
  if (file.startsWith('plugin/')) return pluginObjection(file, specifier);
  const from = roomOf(file);
  if (from === undefined || file.endsWith('.test.ts')) return undefined;
  const target = posix.normalize(posix.join(dirname(file), specifier));
  const to = roomOf(target);
  if (to === undefined) return `the operator does not use what is outside operator/ (${target})`;
  if (from !== to) return levelObjection(from, to, levels);
  const [inner, other] = [innerRoomOf(file), innerRoomOf(target)];
  return from !== 'controller' || inner === other
    ? undefined
    : levelObjection(inner, other, controllerLevels);
}

/**
 * What the plugin needs to render a clone before it is pushed exactly as the operator would, and to say what it makes
 * different: the engine's caller, and what is pure. None of it speaks to an API server or a Git server: of what an API server
 * answered, it reads the words.
 */
const OF_RENDERING: readonly string[] = [
  'operator/render/renderer.ts',
  'operator/manifest/',
  'operator/plan/ignore.ts',
  'operator/kube/refusal.ts',
  'operator/controller/candidate/secrecy/redaction.ts',
];

/** The plugin prints what the API says, with the user's kubectl: nothing of the operator's work is done twice. */
function pluginObjection(file: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(dirname(file), specifier));
  const known = ['plugin/', 'operator/api/', ...OF_RENDERING];
  if (file.endsWith('.test.ts') || known.some((path) => target.startsWith(path))) return undefined;
  return `the plugin knows operator/api/ only, and what rendering a clone needs; what else it shows has to stand in a status (${target})`;
}

function levelObjection(from: string, to: string, of: typeof levels): string | undefined {
  const [fromLevel, toLevel] = [from, to].map((room) => of.findIndex((level) => level.includes(room)));
  if (fromLevel === undefined || toLevel === undefined) return undefined;
  if (fromLevel === -1) return `the room ${from} has no level; give it one in hack/import-rules.ts`;
  if (toLevel === -1) return `the room ${to} has no level; give it one in hack/import-rules.ts`;
  if (fromLevel < toLevel) return undefined;
  if (fromLevel === toLevel) {
    return `${from} and ${to} are rooms of one level and do not import each other; move what both need below`;
  }
  return `${to} is above ${from}, and imports run downwards only; pass it in as a parameter`;
}

/** `kube` for operator/kube/client.ts, `main` for operator/main.ts; undefined outside operator/. */
function roomOf(path: string): string | undefined {
  const [root, room, ...rest] = path.split('/');
  if (root !== 'operator' || room === undefined) return undefined;
  return rest.length > 0 ? room : room.replace(/\.ts$/, '');
}

/** `target` for operator/controller/target/deploy/deploy.ts; '' for what stands beside the rooms of a room. */
function innerRoomOf(path: string): string {
  const [, , room = '', ...rest] = path.split('/');
  return rest.length > 0 ? room : '';
}

/** The sentence to print for each circle of imports among these files; imports of types and of tests count, too. */
export function circles(statements: readonly Import[]): string[] {
  const imports = new Map<string, string[]>();
  for (const { file, specifier } of statements) {
    if (!specifier.startsWith('.')) continue;
    imports.set(file, [...(imports.get(file) ?? []), posix.normalize(posix.join(dirname(file), specifier))]);
  }
  return roundsIn(imports).map((round) => `${round.join(' → ')}: imports run in a circle.`);
}

/**
 * The sentence to print for each circle among the rooms of one room of operator/: each file may be in none, and the
 * rooms need each other all the same. Tests may look anywhere.
 */
export function roomCircles(statements: readonly Import[]): string[] {
  const imports = new Map<string, string[]>();
  const examples = new Map<string, string>();
  for (const { file, line, specifier } of statements) {
    if (!specifier.startsWith('.') || file.endsWith('.test.ts') || !file.startsWith('operator/')) continue;
    const [from, to] = neighbours(file, posix.normalize(posix.join(dirname(file), specifier)));
    if (from === undefined || to === undefined) continue;
    imports.set(from, [...(imports.get(from) ?? []), to]);
    examples.set(`${from} ${to}`, `${file}:${line}`);
  }
  return roundsIn(imports).map((round) => {
    const places = round.slice(1).map((to, index) => examples.get(`${round[index]} ${to}`));
    return `${round.join(' → ')}: rooms import each other (${places.join(', ')}); move what both need into one of them, or above.`;
  });
}

/** The rooms next to each other in which two files are; none where one of them stands beside the other's room. */
function neighbours(file: string, other: string): [] | [string, string] {
  const [one, two] = [file.split('/'), other.split('/')];
  const at = one.findIndex((part, index) => part !== two[index]);
  const isRoom = (parts: readonly string[]) => at < parts.length - 1;
  return isRoom(one) && isRoom(two) ? [one.slice(0, at + 1).join('/'), two.slice(0, at + 1).join('/')] : [];
}

/** Each way that comes back to where it began: the first one again at its end. */
function roundsIn(ways: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const follow = (place: string, way: readonly string[]): void => {
    const at = way.indexOf(place);
    if (at >= 0) found.push([...way.slice(at), place]);
    if (at >= 0 || done.has(place)) return;
    for (const next of ways.get(place) ?? []) follow(next, [...way, place]);
    done.add(place);
  };
  for (const place of ways.keys()) follow(place, []);
  return found;
}

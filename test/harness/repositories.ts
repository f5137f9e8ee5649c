import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import type { FileContent, GitRepository } from './git-repository.ts';

/** A history that git writes into an empty repository. */
export interface History {
  /** Returns the commits that are to be read. */
  write(git: GitRepository): Promise<string[]>;
  /** Directories that can be read as a whole: nothing below them is a submodule. Default: the root. */
  whole?: readonly string[];
}

/** Histories by what is special about them. */
export const HISTORIES: Readonly<Record<string, History>> = {
  'renames and copies': { write: renamed },
  'long chains of deltas': { write: chained },
  'symlinks to files, directories and symlinks': { write: linked },
  'executables and submodules': { write: withModes, whole: ['run', 'run/deep'] },
  'a directory of 5,000 entries': { write: (git) => committed(git, numbered(5_000)) },
  'binary, large and empty files': { write: binary },
  'unusual names': { write: named },
  'directories in directories': { write: nested },
  'a commit without a file': { write: emptied },
  'commits that no ref names': { write: unnamed },
  'messages and people': { write: described },
  'changes by chance': { write: byChance },
};

async function committed(git: GitRepository, ...changes: Record<string, FileContent>[]): Promise<string[]> {
  const commits: string[] = [];
  for (const files of changes) {
    const commit = await git.commit(files);
    await git.branch(`at-${commits.length}`, commit);
    commits.push(commit);
  }
  return commits;
}

const lines = (count: number, seed: number) =>
  Array.from({ length: count }, (_, line) => `line ${line}: ${(line * 7_919 + seed) % 10_007}\n`).join('');

const numbered = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`all/${index}.yaml`, `index: ${index}\n`]));

async function renamed(git: GitRepository): Promise<string[]> {
  const [first = ''] = await committed(git, {
    'app/values.yaml': lines(50, 1),
    'app/templates/one.yaml': lines(50, 2),
    'app/templates/two.yaml': lines(50, 3),
    'app.yaml': 'a: 1\n',
  });
  const steps = [
    'R app/values.yaml app/values-old.yaml',
    'R app/templates templates',
    'C templates app/copy',
    'R app app2',
    'R app2/copy/one.yaml app.yaml/one.yaml',
    'R app.yaml app2/values-old.yaml',
  ];
  const commits = [first];
  for (const [index, step] of steps.entries()) {
    const person = `Test <test@example.com> ${1_790_000_100 + index} +0000`;
    const from = `from ${commits.at(-1)}`;
    const stream = `commit refs/heads/step-${index}\nmark :1\ncommitter ${person}\ndata 4\nmove\n${from}\n${step}\n`;
    commits.push(await git.git(['fast-import', '--quiet'], `${stream}get-mark :1\ndone\n`));
  }
  return commits;
}

/** Each file differs little from the one before it and much from the others, so that git builds it on that one. */
async function chained(git: GitRepository): Promise<string[]> {
  const version = (index: number, seed: number) =>
    lines(index, seed) + lines(300 - index, seed + 1).replaceAll('line', '');
  const all = (seed: number) =>
    Object.fromEntries(
      Array.from({ length: 250 }, (_, index) => [`${index}/like-all-others.yaml`, version(index, seed)]),
    );
  const commits = await committed(git, all(1), all(2), { '7/like-all-others.yaml': version(7, 3) });
  await git.git(['repack', '-adfq', '--depth=250', '--window=10']);
  const packs = globSync('objects/pack/*.idx', { cwd: git.path });
  const told = await git.git(['verify-pack', '-s', ...packs]);
  const depths = [...told.matchAll(/chain length = (\d+)/g)].map(([, depth]) => Number(depth));
  // By itself git makes 50.
  assert.ok(Math.max(...depths) > 60, `the longest chain has ${Math.max(...depths)} deltas`);
  return commits;
}

function linked(git: GitRepository): Promise<string[]> {
  const files = {
    'base/values.yaml': 'a: 1\n',
    'base/deep/er/file': 'deep\n',
    'app/values.yaml': { symlink: '../base/values.yaml' },
    'app/deep': { symlink: '../base/deep/' },
    'app/again': { symlink: './deep/../deep/er' },
    'app/file': { symlink: 'again/file' },
    'a b': { symlink: 'app/file' },
  };
  return committed(git, files, { 'app/deep': { symlink: 'real' }, 'app/real/er/file': 'another\n' });
}

function withModes(git: GitRepository): Promise<string[]> {
  const files = {
    'run/me': { executable: '#!/bin/sh\n' },
    'run/not': '#!/bin/sh\n',
    'run/deep/me': { executable: '' },
    vendor: { submodule: 'a'.repeat(40) },
    'lib/vendor': { submodule: 'b'.repeat(40) },
  };
  return committed(git, files, { 'run/me': 'not any more\n', 'run/not': { executable: 'now\n' } });
}

function binary(git: GitRepository): Promise<string[]> {
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const large = Buffer.alloc(3 << 20);
  for (let at = 0; at < large.length; at++) large[at] = (at * 7_919) >> 5;
  const grown = Buffer.concat([large.subarray(0, 1 << 20), all, large.subarray(1 << 20)]);
  return committed(
    git,
    { all, large, empty: '', 'also/empty': '', nul: Buffer.from([0]), crlf: 'a\r\nb\rc\n\r' },
    { large: grown, empty: 'not any more', nul: '' },
    { large: Buffer.concat([grown, grown]) },
  );
}

function named(git: GitRepository): Promise<string[]> {
  const names = [
    ' leading',
    'trailing ',
    'two  spaces',
    '"quoted"',
    "it's",
    '-dash',
    '.hidden',
    '..a',
    '~tilde',
    '$(date)',
    'ärger',
    'a\u0308rger',
    '日本語.yaml',
    '🚢',
    '\u200bzero width',
    'x'.repeat(255),
    'A',
    'a',
    'a.b',
    'a-b',
    'a0',
    'a=b',
  ];
  const files = Object.fromEntries(names.map((name) => [`all/${name}`, `${name}\n`]));
  const directories = Object.fromEntries(names.map((name) => [`in/${name}/file`, `${name}\n`]));
  const onlyTogether = { 'all/tab\tin it': 'tab\n', 'all/line\nbreak': 'break\n' };
  // Trees are ordered as if directories ended with a slash.
  return committed(
    git,
    { ...files, ...directories, ...onlyTogether },
    { 'all/a': null, 'all/a/b': 'now a directory\n' },
  );
}

function nested(git: GitRepository): Promise<string[]> {
  const deep = Array.from({ length: 100 }, (_, index) => `d${index}`);
  const files = deep.map((_, index) => [[...deep.slice(0, index + 1), 'file'].join('/'), `${index}\n`]);
  return committed(git, Object.fromEntries(files), { 'd0/d1/d2': null, 'd0/d1/file': 'last\n' });
}

function emptied(git: GitRepository): Promise<string[]> {
  return committed(git, { a: '1' }, { a: null }, { a: '1' });
}

/** So that they are found in the history of what has a name. */
async function unnamed(git: GitRepository): Promise<string[]> {
  const commits: string[] = [];
  for (let index = 0; index < 20; index++)
    commits.push(await git.commit({ 'values.yaml': lines(60, index), [`app/${index % 7}`]: `${index}\n` }));
  return [commits[3], commits[19], commits[11]].filter((commit) => commit !== undefined);
}

async function described(git: GitRepository): Promise<string[]> {
  const commits = [];
  const messages = ['One line', 'First\n\nand more\n', 'Überschrift 🚢\nsecond line', 'a: b\ntree x\n'];
  for (const message of messages) commits.push(await git.commit({ message }, { message }));
  const author = "Zoë O'Brien <zoë+git@example.com>";
  commits.push(await git.commit({ by: 'another' }, { author, time: 1_234_567_890 }));
  return commits;
}

/** The same at each run: what differs is found again. */
async function byChance(git: GitRepository): Promise<string[]> {
  let state = 20_261_128;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  const directories = ['', 'app/', 'app/templates/', 'base/', 'base/a b/', 'ü/'];
  const anyPath = () => `${directories[below(directories.length)]}${below(12)}.yaml`;
  const anyContent = (): FileContent => {
    const text = lines(1 + below(80), below(4));
    return [text, text, { executable: text }, null][below(4)] ?? null;
  };
  const commits: string[] = [];
  for (let count = 0; count < 24; count++) {
    const files = Object.fromEntries(Array.from({ length: 1 + below(12) }, () => [anyPath(), anyContent()]));
    commits.push(await git.commit({ ...files, keep: `${count}\n` }));
    if (count % 3 === 0) await git.branch(`at-${count}`);
    if (count % 10 === 5) await git.git(['repack', '-adfq', `--depth=${10 * count}`]);
  }
  return commits.filter((_, index) => index % 3 === 0);
}

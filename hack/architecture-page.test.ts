import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { controllerLevels, levels } from './import-rules.ts';

const root = join(import.meta.dirname, '..');
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
const page = textOf('docs/architecture.md');

/** Folders of operator/ with TypeScript or Go of the product in them, such as `controller/target/deploy`. */
const folders = new Set(
  globSync('operator/**/*.{ts,go}', { cwd: root })
    .map((file) => file.split('/').slice(1, -1))
    // What serves tests, and what is read or made beside the sources of a room.
    .filter((parts) => !parts.some((part) => part.startsWith('test')) && !parts.includes('bench'))
    .map((parts) => parts.join('/'))
    .filter((folder) => folder !== ''),
);

/** The folders below operator/ that the page's list of rooms names, by their indentation. */
function listedRooms(): string[] {
  const [, list = ''] = page.split('## Rooms');
  const rooms: string[] = [];
  let open: { depth: number; path: string }[] = [];
  for (const line of list.split('\n')) {
    const [, indent = '', name] = /^( *)([\w./]+)\/ /.exec(line) ?? [];
    if (name === undefined || (indent === '' && name !== 'operator')) continue;
    open = open.filter(({ depth }) => depth < indent.length);
    const path = [open.at(-1)?.path ?? '', name].filter((part) => part !== '').join('/');
    const whole = name.includes('/') ? name : path;
    if (indent === '') continue;
    open.push({ depth: indent.length, path: whole });
    rooms.push(whole);
  }
  return rooms;
}

test('the list of rooms in docs/architecture.md is the list of folders', () => {
  const rooms = listedRooms();
  assert.ok(rooms.length > 20, 'the list is read');
  // A room of one group of resources has its version below it; the reasons are one table in several files.
  const within = (folder: string) => folder.startsWith('api');
  for (const folder of folders)
    assert.ok(within(folder) || rooms.includes(folder), `${folder} is not among the rooms`);
  for (const room of rooms) assert.ok(existsSync(join(root, 'operator', room)), `there is no room ${room}`);
});

test('the rules of imports know the rooms that there are, and no others', () => {
  const isRoom = (room: string) => ['', '.ts'].some((end) => existsSync(join(root, 'operator', room + end)));
  for (const room of levels.flat()) assert.ok(isRoom(room), `there is no operator/${room}`);
  for (const room of controllerLevels.flat())
    assert.ok(folders.has(`controller/${room}`) || room === 'application', room);
  const [, said = ''] = /Imports run one way: (.*?)\. /.exec(page) ?? [];
  const flat = (of: typeof levels) => of.map((level) => [...level].sort().join(', ')).join(' → ');
  const inOrder = (text: string) =>
    text
      .split(' → ')
      .map((level) => level.split(', ').sort().join(', '))
      .join(' → ');
  assert.equal(inOrder(said), flat(levels));
  for (const file of ['docs/architecture.md', 'CONTRIBUTING.md']) {
    const [, inside = ''] = /in controller\/:? (application[\w, →]+)/i.exec(textOf(file)) ?? [];
    assert.equal(inOrder(inside), flat(controllerLevels), file);
  }
});

test('every file and room that the map and the guide name is there', () => {
  const files = globSync('{operator,test,hack,charts,docs}/**/*', {
    cwd: root,
    exclude: ['**/node_modules/**'],
  });
  const isThere = (name: string) =>
    files.some((file) => `${file}/`.includes(`/${name.replace(/\/?$/, '')}`) || file === name);
  for (const file of ['docs/architecture.md', 'CONTRIBUTING.md']) {
    const named = [...textOf(file).matchAll(/[`*]([a-z][\w-]*(?:\/[\w.-]+)*\.(?:ts|go))[`*]/g)].map(
      (match) => match[1] ?? '',
    );
    assert.ok(named.length > 10);
    for (const name of named) if (name !== 'x.test.ts') assert.ok(isThere(name), `${file} names ${name}`);
  }
});

test("the picture of a commit's journey names rooms that there are, by the numbers of the page", () => {
  const picture = textOf('docs/images/journey.svg');
  const rooms = [...picture.matchAll(/>([a-z/, ]+\/)<\/text>/g)].flatMap((match) =>
    (match[1] ?? '').split(', '),
  );
  assert.ok(rooms.length > 8);
  for (const room of rooms) {
    const path = room.replace(/\/$/, '');
    const isFolder = [...folders].some(
      (folder) => folder === path || folder.endsWith(`/${path}`) || folder.startsWith(`${path}/`),
    );
    assert.ok(isFolder, `the picture names ${room}`);
  }
  const steps = [...page.matchAll(/^(\d)\. \*\*/gm)].map((match) => match[1]);
  const badges = [...picture.matchAll(/font-weight="600">(\d)<\/text>/g)].map((match) => match[1]);
  assert.deepEqual(badges.sort(), steps);
});

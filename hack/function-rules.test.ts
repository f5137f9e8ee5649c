import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { MOST_LINES, objections } from './function-rules.ts';

/** What is said of these sources, by path. */
function said(sources: Record<string, string>): string[] {
  const files = Object.entries(sources).map(([path, text]) => [`/repository/${path}`, text] as const);
  const config = JSON.stringify({ compilerOptions: { strict: true, noEmit: true }, include: ['**/*.ts'] });
  const fs = createVirtualFileSystem({ ...Object.fromEntries(files), '/repository/tsconfig.json': config });
  return objections('/repository', { fs });
}

/** Those of the sources of which something is said, each by itself. */
function refusedOf(sources: readonly string[]): string[] {
  const found = said(Object.fromEntries(sources.map((text, index) => [`operator/apply/${index}.ts`, text])));
  return sources.filter((_, index) => found.some((one) => one.startsWith(`operator/apply/${index}.ts:`)));
}

test('no function takes a boolean', () => {
  const [found] = said({
    'operator/apply/a.ts': 'export const b = 1;\nexport function a(isLast: boolean) {}\n',
  });
  assert.match(found ?? '', /^operator\/apply\/a\.ts:2: isLast is a boolean parameter, .*take a word/);
  const refused = [
    'export function a(one: string, two?: boolean) {}',
    'export function a(one = false) {}',
    'export function a(one: boolean | undefined) {}',
    'export function a(one: true | null) {}',
    'export function a(...all: [one: string, two: string]) { return (is: boolean) => is; }',
    'type Flag = boolean;\nexport function a(one: Flag) {}',
    'export const a = (one: boolean) => one;',
    'export class A {\n  constructor(one: boolean) {}\n}',
    'export class A {\n  #a(one: boolean) {}\n}',
    'export class A {\n  static a(one: boolean) {}\n}',
    'export interface A {\n  a(one: boolean): void;\n}',
    'export interface A {\n  a: (one: boolean) => void;\n}',
    'export abstract class A {\n  abstract a(one: boolean): void;\n}',
    '// Called by others: \nexport function a(one: boolean) {}',
  ];
  assert.deepEqual(refusedOf(refused), refused);
  const text = 'export function a(one: boolean) {}';
  const everywhere = ['hack/a.ts', 'operator/apply/a.test.ts', 'plugin/a.ts', 'test/harness/a.ts'];
  assert.deepEqual(
    said(Object.fromEntries(everywhere.map((path) => [path, text]))).map((one) => one.split(':')[0]),
    everywhere,
  );
  assert.deepEqual(said({ 'hack/node_modules/a/a.ts': text }), []);
});

test('a boolean that says what it means, or that others pass, is taken', () => {
  const taken = [
    'export function a(options: { isLast: boolean }) {}',
    'export function a({ isLast = false }: { isLast?: boolean }) {}',
    'export function a(one: boolean | string) {}',
    'export function a(one: boolean[]) {}',
    "export function a(one: 'Full' | 'Shallow') {}",
    'export function a(one: unknown, two: never, three: any, four?: undefined) {}',
    'export function a<T>(one: T) {}',
    'export function a(one: string): one is "a" {\n  return true;\n}',
    'export class A {\n  set a(one: boolean) {}\n}',
    'export const a = [true, false].filter((one) => one);',
    '// Called by others: Node, for an event.\nexport function a(one: boolean) {}',
  ];
  assert.deepEqual(refusedOf(taken), []);
});

test('no function of the controller is longer than a screen', () => {
  const ofLines = (count: number) => `export function a() {\n${'  console.log();\n'.repeat(count - 2)}}\n`;
  const path = 'operator/controller/target/a.ts';
  assert.deepEqual(said({ [path]: ofLines(MOST_LINES) }), []);
  assert.match(said({ [path]: ofLines(MOST_LINES + 1) })[0] ?? '', /a\.ts:1: a function of \d+ lines /);
  for (const begin of [
    'export const a = () => {',
    'export class A {\n#a() {',
    'export class A {\nconstructor() {',
  ]) {
    const end = begin.includes('class') ? '}\n}' : '}';
    assert.equal(
      said({ [path]: `${begin}\n${'console.log();\n'.repeat(MOST_LINES)}${end}\n` }).length,
      1,
      begin,
    );
  }
  for (const other of ['operator/apply/a.ts', 'operator/controller/target/a.test.ts'])
    assert.deepEqual(said({ [other]: ofLines(500) }), []);
});

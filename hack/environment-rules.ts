import type { AnyNode } from 'acorn';
import {
  aliasesOf,
  bare,
  constantOf,
  lastName,
  lineAt,
  type Maybe,
  memberName,
  methodCall,
  nodesOf,
  partsOf,
} from './syntax.ts';

/** What there is one of for each environment; of targets also what `targets.ts` answers with: `targets.of(application)`. */
const LISTS = ['environments', 'targets', 'specified'];
/** Only these are lists everywhere; a test's targets may be of its own making. */
const LISTS_OF_TESTS = ['environments'];

/** What of a list takes one by its place. */
const TAKES_ONE = ['at', 'shift', 'pop', 'splice', 'with'];
/** What makes of a list one with the same order, or goes over it. One that is sorted has an order with a meaning. */
const KEEPS_ORDER = [
  'filter',
  'map',
  'flatMap',
  'slice',
  'concat',
  'reverse',
  'toReversed',
  'values',
  'entries',
  'keys',
];
/** Of which a list is made: `Object.values(environments)`. */
const COPIES = { Object: ['values', 'entries', 'keys'], Array: ['from'], Iterator: ['from'] };

/** The sentences to print for places in a TypeScript source that take an environment, or a target, by its place in the list. */
export function placedEnvironments(file: string, source: string): string[] {
  const isProduct = file.startsWith('operator/') && !file.endsWith('.test.ts');
  const names = isProduct ? LISTS : LISTS_OF_TESTS;
  if (!names.some((name) => source.includes(name))) return [];
  const nodes = nodesOf(source);
  const places = new Places(nodes, names);
  return nodes
    .filter((node) => places.isPlaced(node))
    .map(
      ({ start }) =>
        `${file}:${lineAt(source, start)}: takes an environment by its place in the list, and an Application may have several: find it by its name, as environmentOf does, or go over all.`,
    );
}

class Places {
  readonly #lists: readonly string[];
  readonly #aliases: ReadonlySet<string>;

  constructor(nodes: readonly AnyNode[], lists: readonly string[]) {
    this.#lists = lists;
    this.#aliases = new Set();
    // What is filtered or mapped is a list of something else, once it has a name of its own.
    const value = (node: AnyNode) => this.#isList(node) && !isDerived(node);
    this.#aliases = aliasesOf(nodes, { value, part: (name) => lists.includes(name) });
  }

  isPlaced(node: AnyNode): boolean {
    switch (node.type) {
      case 'MemberExpression':
        return node.computed && isPlace(node.property) && this.#isList(node.object);
      case 'CallExpression':
        return this.#takesOne(node);
      case 'VariableDeclarator':
        return isPattern(node.id) && this.#isList(node.init);
      case 'AssignmentExpression':
        return isPattern(node.left) && this.#isList(node.right);
      case 'ObjectPattern':
        return partsOf(node).some(
          ({ name, value }) => name !== undefined && this.#lists.includes(name) && isPattern(value),
        );
      default:
        return false;
    }
  }

  /**
   * `environments`, `status?.environments`, what stands in for it where there is none: `status.environments ?? []`,
   * what a list of targets is asked for: `this.#options.targets.of(application)`, copies, and what keeps its order.
   */
  #isList(given: Maybe<AnyNode>): boolean {
    const node = bare(given);
    switch (node?.type) {
      case 'Identifier':
        return this.#lists.includes(node.name) || this.#aliases.has(node.name);
      case 'MemberExpression':
        return this.#lists.includes(memberName(node) ?? '');
      case 'CallExpression':
        return this.#isCallOfList(node);
      case 'ArrayExpression':
        return node.elements.some((each) => each?.type === 'SpreadElement' && this.#isList(each.argument));
      case 'LogicalExpression':
        return this.#isList(node.left);
      default:
        return false;
    }
  }

  #isCallOfList(node: AnyNode): boolean {
    const call = methodCall(node);
    if (call?.method === undefined) return false;
    const copies = COPIES[lastName(call.of) as keyof typeof COPIES] ?? [];
    if (copies.includes(call.method)) return this.#isList(call.given[0]);
    return ['of', 'named', ...KEEPS_ORDER].includes(call.method) && this.#isList(call.of);
  }

  #takesOne(node: AnyNode): boolean {
    const call = methodCall(node);
    if (call?.method === undefined || !this.#isList(call.of)) return false;
    const { method, given } = call;
    if (method === 'next') return methodCall(call.of) !== undefined;
    if (method === 'slice') return isOne(given);
    if (method === 'find' || method === 'findLast') return takesAny(given[0]);
    return TAKES_ONE.includes(method);
  }
}

function isDerived(given: AnyNode): boolean {
  const node = bare(given);
  if (node?.type === 'LogicalExpression') return isDerived(node.left);
  const call = methodCall(node);
  return call !== undefined && ['filter', 'map', 'flatMap'].includes(call.method ?? '');
}

/** `0`, `'0'`, `environments.length - 1`. */
function isPlace(node: AnyNode): boolean {
  if (node.type === 'BinaryExpression') return lastName(node.left) === 'length';
  return isDigits(constantOf(node));
}

function isDigits(text: string | undefined): boolean {
  return /^\d+$/.test(text ?? '');
}

/** `slice(0, 1)`, `slice(-1)`. */
function isOne([from, to]: readonly AnyNode[]): boolean {
  if (from?.type === 'UnaryExpression') return constantOf(from.argument) === '1';
  return constantOf(from) === '0' && constantOf(to) === '1';
}

/** `() => true`, `Boolean`: whichever comes first. */
function takesAny(node: Maybe<AnyNode>): boolean {
  if (node?.type === 'Identifier') return node.name === 'Boolean';
  if (node?.type !== 'ArrowFunctionExpression' && node?.type !== 'FunctionExpression') return false;
  return node.params.length === 0 || (node.body.type === 'Literal' && node.body.value === true);
}

/** `[first]` or `{ 0: first }` where something is taken apart, with a default or without; `[...all]` is a copy. */
function isPattern(node: AnyNode): boolean {
  if (node.type === 'AssignmentPattern') return isPattern(node.left);
  if (node.type === 'ArrayPattern') return node.elements.some((each) => each?.type !== 'RestElement');
  return partsOf(node).some(({ name }) => isDigits(name));
}

import { stripTypeScriptTypes } from 'node:module';
import { type AnyNode, parse } from 'acorn';
import { childrenOf } from './expression-rules.ts';

/** What there is one of for each environment; of targets also what `targets.ts` answers with: `targets.of(application)`. */
const LISTS = ['environments', 'targets', 'specified'] as const;
/** Only these are lists everywhere; a test's targets may be of its own making. */
const LISTS_OF_TESTS = ['environments'] as const;

/** The sentences to print for places in a TypeScript source that take an environment, or a target, by its place in the list. */
export function placedEnvironments(file: string, source: string): string[] {
  const isProduct = file.startsWith('operator/') && !file.endsWith('.test.ts');
  const lists = isProduct ? LISTS : LISTS_OF_TESTS;
  if (!lists.some((list) => source.includes(list))) return [];
  // Types become white space: places stay as they are.
  const script = stripTypeScriptTypes(source);
  const found: string[] = [];
  const visit = (node: AnyNode): void => {
    if (isPlaced(node, lists)) {
      const line = script.slice(0, node.start).split('\n').length;
      found.push(
        `${file}:${line}: takes an environment by its place in the list, and an Application may have several: find it by its name, as environmentOf does, or go over all.`,
      );
    }
    for (const child of childrenOf(node)) visit(child as AnyNode);
  };
  visit(parse(script, { ecmaVersion: 'latest', sourceType: 'module' }));
  return found;
}

type Lists = readonly string[];

function isPlaced(node: AnyNode, lists: Lists): boolean {
  switch (node.type) {
    case 'MemberExpression':
      return (
        node.computed &&
        node.property.type === 'Literal' &&
        typeof node.property.value === 'number' &&
        isList(node.object, lists)
      );
    case 'CallExpression':
      return (
        node.callee.type === 'MemberExpression' &&
        isNamed(node.callee.property, 'at') &&
        isList(node.callee.object, lists)
      );
    case 'VariableDeclarator':
      return node.id.type === 'ArrayPattern' && isList(node.init, lists);
    case 'AssignmentExpression':
      return node.left.type === 'ArrayPattern' && isList(node.right, lists);
    case 'Property':
      return lists.some((list) => isNamed(node.key, list)) && isPattern(node.value);
    default:
      return false;
  }
}

/**
 * `environments`, `status?.environments`, what stands in for it where there is none: `status.environments ?? []`, and
 * what a list of targets is asked for: `this.#options.targets.of(application)`.
 */
function isList(node: AnyNode | null | undefined, lists: Lists): boolean {
  switch (node?.type) {
    case 'Identifier':
    case 'PrivateIdentifier':
      return lists.includes(node.name);
    case 'MemberExpression':
      return isList(node.property, lists);
    case 'CallExpression':
      return (
        node.callee.type === 'MemberExpression' &&
        ['of', 'named'].some((method) => isCallOf(node.callee, method)) &&
        isList(node.callee.object, lists)
      );
    case 'ChainExpression':
      return isList(node.expression, lists);
    case 'LogicalExpression':
      return isList(node.left, lists);
    default:
      return false;
  }
}

function isCallOf(callee: AnyNode, method: string): boolean {
  return callee.type === 'MemberExpression' && isNamed(callee.property, method);
}

function isNamed(node: AnyNode, name: string): boolean {
  return node.type === 'Identifier' && node.name === name;
}

/** `[first]` where something is taken apart, with a default or without. */
function isPattern(node: AnyNode): boolean {
  return node.type === 'ArrayPattern' || (node.type === 'AssignmentPattern' && isPattern(node.left));
}

import { stripTypeScriptTypes } from 'node:module';
import { type AnyNode, parse } from 'acorn';
import { childrenOf } from './expression-rules.ts';

/** The sentences to print for places in a TypeScript source that take an environment by its place in the list. */
export function placedEnvironments(file: string, source: string): string[] {
  if (!source.includes('environments')) return [];
  // Types become white space: places stay as they are.
  const script = stripTypeScriptTypes(source);
  const found: string[] = [];
  const visit = (node: AnyNode): void => {
    if (isPlaced(node)) {
      const line = script.slice(0, node.start).split('\n').length;
      found.push(
        `${file}:${line}: takes an environment by its place in the list, and an Application may have several: find it by its name, as environmentOf does.`,
      );
    }
    for (const child of childrenOf(node)) visit(child as AnyNode);
  };
  visit(parse(script, { ecmaVersion: 'latest', sourceType: 'module' }));
  return found;
}

function isPlaced(node: AnyNode): boolean {
  switch (node.type) {
    case 'MemberExpression':
      return (
        node.computed &&
        node.property.type === 'Literal' &&
        typeof node.property.value === 'number' &&
        isEnvironments(node.object)
      );
    case 'CallExpression':
      return (
        node.callee.type === 'MemberExpression' &&
        isNamed(node.callee.property, 'at') &&
        isEnvironments(node.callee.object)
      );
    case 'VariableDeclarator':
      return node.id.type === 'ArrayPattern' && isEnvironments(node.init);
    case 'AssignmentExpression':
      return node.left.type === 'ArrayPattern' && isEnvironments(node.right);
    case 'Property':
      return isNamed(node.key, 'environments') && isPattern(node.value);
    default:
      return false;
  }
}

/** `environments`, `status?.environments`, and what stands in for it where there is none: `status.environments ?? []`. */
function isEnvironments(node: AnyNode | null | undefined): boolean {
  switch (node?.type) {
    case 'Identifier':
      return isNamed(node, 'environments');
    case 'MemberExpression':
      return isNamed(node.property, 'environments');
    case 'ChainExpression':
      return isEnvironments(node.expression);
    case 'LogicalExpression':
      return isEnvironments(node.left);
    default:
      return false;
  }
}

function isNamed(node: AnyNode, name: string): boolean {
  return node.type === 'Identifier' && node.name === name;
}

/** `[first]` where something is taken apart, with a default or without. */
function isPattern(node: AnyNode): boolean {
  return node.type === 'ArrayPattern' || (node.type === 'AssignmentPattern' && isPattern(node.left));
}

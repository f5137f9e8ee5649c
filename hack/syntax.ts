import { stripTypeScriptTypes } from 'node:module';
import { type AnyNode, type CallExpression, type MemberExpression, parse } from 'acorn';
import { childrenOf } from './expression-rules.ts';

/** All nodes of a TypeScript source, from the outside in. Types become white space: places stay as they are. */
export function nodesOf(source: string): AnyNode[] {
  const found: AnyNode[] = [];
  const visit = (node: AnyNode): void => {
    found.push(node);
    for (const child of childrenOf(node)) visit(child as AnyNode);
  };
  visit(parse(stripTypeScriptTypes(source), { ecmaVersion: 'latest', sourceType: 'module' }));
  return found;
}

/** 1-based. */
export function lineAt(source: string, position: number): number {
  return source.slice(0, position).split('\n').length;
}

export type Maybe<T> = T | null | undefined;

/** What is in `(…?.…)`, and what `await` waits for. */
export function bare(node: Maybe<AnyNode>): AnyNode | undefined {
  if (node?.type === 'ChainExpression') return bare(node.expression);
  if (node?.type === 'AwaitExpression') return bare(node.argument);
  return node ?? undefined;
}

/** A text or a number as it is written. */
export function constantOf(node: Maybe<AnyNode>): string | undefined {
  if (node?.type === 'Literal' && (typeof node.value === 'string' || typeof node.value === 'number'))
    return String(node.value);
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** `b` of `a.b`, `a.#b` and `a['b']`. */
export function memberName({ computed, property }: MemberExpression): string | undefined {
  if (computed) return constantOf(property);
  return property.type === 'Identifier' || property.type === 'PrivateIdentifier' ? property.name : undefined;
}

/** `a` of `a` and `b` of `….b`. */
export function lastName(given: Maybe<AnyNode>): string | undefined {
  const node = bare(given);
  if (node?.type === 'Identifier') return node.name;
  return node?.type === 'MemberExpression' ? memberName(node) : undefined;
}

/** The call of a method: its name, and of what. Undefined for whatever else there is. */
export function methodCall(
  given: Maybe<AnyNode>,
): { method: string | undefined; of: AnyNode; given: CallExpression['arguments'] } | undefined {
  const node = bare(given);
  if (node?.type !== 'CallExpression') return undefined;
  const callee = bare(node.callee);
  if (callee?.type !== 'MemberExpression') return undefined;
  return { method: memberName(callee), of: callee.object, given: node.arguments };
}

/** What the parts of `{ a: b }` are called, and to what they are bound. */
export function partsOf(node: AnyNode): { name: string | undefined; value: AnyNode }[] {
  if (node.type !== 'ObjectPattern') return [];
  return node.properties.flatMap((part) => {
    if (part.type !== 'Property') return [];
    const name = !part.computed && part.key.type === 'Identifier' ? part.key.name : constantOf(part.key);
    return [{ name, value: part.value }];
  });
}

/**
 * The names that stand for something that `is` says is meant: `const a = …`, `{ wanted: a }`. Only those which nothing
 * else in the source is called: in which of two scopes a name is used is not looked for.
 */
export function aliasesOf(
  nodes: readonly AnyNode[],
  is: { value(node: AnyNode): boolean; part?(name: string): boolean },
): ReadonlySet<string> {
  const bound = nodes.flatMap(bindings);
  const values = nodes.flatMap((node) =>
    node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init && is.value(node.init)
      ? [node.id.name]
      : [],
  );
  const parts = nodes.flatMap(partsOf).flatMap(({ name, value }) => {
    const local = value.type === 'AssignmentPattern' ? value.left : value;
    return name !== undefined && is.part?.(name) === true && local.type === 'Identifier' ? [local.name] : [];
  });
  return new Set([...values, ...parts].filter((name) => bound.filter((one) => one === name).length === 1));
}

/** The names that a node binds: variables, parameters, functions, classes, imports. */
function bindings(node: AnyNode): string[] {
  switch (node.type) {
    case 'VariableDeclarator':
      return namesIn(node.id);
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return [...namesIn(node.id), ...node.params.flatMap(namesIn)];
    case 'ClassDeclaration':
    case 'ClassExpression':
      return namesIn(node.id);
    case 'CatchClause':
      return namesIn(node.param);
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
      return namesIn(node.local);
    default:
      return [];
  }
}

function namesIn(node: Maybe<AnyNode>): string[] {
  switch (node?.type) {
    case 'Identifier':
      return [node.name];
    case 'ArrayPattern':
      return node.elements.flatMap(namesIn);
    case 'ObjectPattern':
      return node.properties.flatMap((part) => namesIn(part.type === 'Property' ? part.value : part));
    case 'AssignmentPattern':
      return namesIn(node.left);
    case 'RestElement':
      return namesIn(node.argument);
    default:
      return [];
  }
}

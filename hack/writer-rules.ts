import type { AnyNode } from 'acorn';
import {
  aliasesOf,
  bare,
  constantOf,
  lastName,
  lineAt,
  memberName,
  methodCall,
  nodesOf,
  partsOf,
} from './syntax.ts';

/** Only this one writes an Application: its status is decided once, and each write is conditional. */
const WRITER = 'operator/controller/application/status/writer.ts';
const RESOURCE = 'APPLICATIONS';
const PLURAL = 'applications';
/** As KubeClient has them. */
const WRITES = ['create', 'apply', 'mergePatch', 'jsonPatch'];
/** Whose `delete` is one of an API server's objects, and not of a Map's. */
const CLIENT = /^(?:\w*client|\w*home|\w*cluster)$/i;

/** The sentences to print for places of the operator that write to Applications beside their writer. */
export function otherWriters(file: string, source: string): string[] {
  if (!file.startsWith('operator/') || file.endsWith('.test.ts') || file === WRITER) return [];
  if (!source.includes(RESOURCE) && !source.includes(PLURAL)) return [];
  const nodes = nodesOf(source);
  if (!nodes.some(namesApplications)) return [];
  const paths = aliasesOf(nodes, { value: (node) => bare(node)?.type === 'ObjectExpression' });
  return nodes
    .filter((node) => isWrite(node, paths))
    .map(
      ({ start }) =>
        `${file}:${lineAt(source, start)}: writes where it knows the Applications: have ${WRITER} do it.`,
    );
}

function namesApplications(node: AnyNode): boolean {
  return (node.type === 'Identifier' && node.name === RESOURCE) || constantOf(node) === PLURAL;
}

/** A method that is called, handed on, or taken out of its client. */
function isWrite(node: AnyNode, paths: ReadonlySet<string>): boolean {
  if (node.type === 'MemberExpression')
    return lastName(node.object) !== 'Object' && WRITES.includes(memberName(node) ?? '');
  if (node.type === 'ObjectPattern')
    return partsOf(node).some(({ name }) => name === 'delete' || WRITES.includes(name ?? ''));
  const call = methodCall(node);
  return node.type === 'CallExpression' && call?.method === 'delete' && isOfClient(call, paths);
}

/** A Map's `delete` takes one thing, and that is no path. */
function isOfClient(
  { of, given }: { of: AnyNode; given: readonly AnyNode[] },
  paths: ReadonlySet<string>,
): boolean {
  const [path] = given;
  const isPath = path?.type === 'ObjectExpression' || (path?.type === 'Identifier' && paths.has(path.name));
  return isPath || given.length > 1 || CLIENT.test(lastName(of) ?? '');
}

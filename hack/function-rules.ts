import {
  isParameterDeclaration,
  isSetAccessorDeclaration,
  type Node,
  type ParameterDeclaration,
  type SourceFile,
} from 'typescript/unstable/ast';
import { API, type APIOptions, type Checker, type Type, TypeFlags } from 'typescript/unstable/sync';

/** How a comment begins that answers for a boolean parameter; what it says is for the reviewer. */
const REASON = '// Called by others: ';
/** Of a function in operator/controller/, from its first line to its last: as much as is read without scrolling. */
export const MOST_LINES = 50;

/** The sentences to print for functions that break a rule; `root` is where tsconfig.json is, which names the folders. */
export function objections(root: string, options: APIOptions = {}): string[] {
  const api = new API({ cwd: root, ...options });
  try {
    const [project] = api.updateSnapshot({ openProject: `${root}/tsconfig.json` }).getProjects();
    if (project === undefined) throw new Error(`There is no project in ${root}.`);
    return project.rootFiles
      .filter((file) => file.startsWith(`${root}/`) && !file.includes('/node_modules/'))
      .sort()
      .map((file) => project.program.getSourceFile(file))
      .filter((source) => source !== undefined)
      .flatMap((source) => objectionsTo(source, source.fileName.slice(root.length + 1), project.checker));
  } finally {
    api.close();
  }
}

function objectionsTo(source: SourceFile, path: string, checker: Checker): string[] {
  const found: string[] = [];
  const visit = (node: Node): void => {
    const said = isParameterDeclaration(node)
      ? booleanObjection(source, node, checker)
      : path.startsWith('operator/controller/') && !path.endsWith('.test.ts')
        ? lengthObjection(source, node)
        : undefined;
    if (said !== undefined) found.push(`${path}:${lineOf(source, node.getStart(source))}: ${said}`);
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}

/** Where `true` stands in a call, nobody knows what it means. A setter's reads as what it is. */
function booleanObjection(
  source: SourceFile,
  node: ParameterDeclaration,
  checker: Checker,
): string | undefined {
  const isDeclared = node.type !== undefined || node.initializer !== undefined;
  if (!isDeclared || isSetAccessorDeclaration(node.parent) || !isBoolean(checker.getTypeAtLocation(node)))
    return undefined;
  if (isAnsweredFor(source, node)) return undefined;
  return `${node.name.getText(source)} is a boolean parameter, and who reads a call does not see what true means: take a word ('Full' | 'Shallow'), the value that decides it, or a property of an object. In a callback that is not ours to change, say whose it is in the line above: ${REASON}….`;
}

/** Also `boolean | undefined`, and whatever name a type has that comes to the same. */
function isBoolean(type: Type | undefined): boolean {
  if (type === undefined) return false;
  const isUnion = (type.flags & TypeFlags.Union) !== 0 && (type.flags & TypeFlags.Boolean) === 0;
  const parts = isUnion ? (type as Type & { getTypes(): readonly Type[] }).getTypes() : [type];
  const given = parts.filter(({ flags }) => (flags & (TypeFlags.Undefined | TypeFlags.Null)) === 0);
  return given.length > 0 && given.every(({ flags }) => (flags & TypeFlags.BooleanLike) !== 0);
}

function isAnsweredFor(source: SourceFile, node: Node): boolean {
  const above = source.text.split('\n')[lineOf(source, node.getStart(source)) - 2]?.trim() ?? '';
  return above.startsWith(REASON) && above.length > REASON.length;
}

function lengthObjection(source: SourceFile, node: Node): string | undefined {
  if ((node as Partial<{ body: Node }>).body === undefined) return undefined;
  const lines = lineOf(source, node.end) - lineOf(source, node.getStart(source)) + 1;
  if (lines <= MOST_LINES) return undefined;
  return `a function of ${lines} lines does not fit on a screen: ${MOST_LINES} are what it may have. Give what it does in steps names of their own.`;
}

/** 1-based. */
function lineOf(source: SourceFile, position: number): number {
  return source.text.slice(0, position).split('\n').length;
}

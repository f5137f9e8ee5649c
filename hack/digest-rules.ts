import type { AnyNode } from 'acorn';
import { aliasesOf, bare, lastName, lineAt, type Maybe, memberName, methodCall, nodesOf } from './syntax.ts';

/** Where digits for people, and addresses, are made of a digest. */
const ALLOWED = ['operator/controller/candidate/revision.ts', 'operator/manifest/digest.ts'];

/** What makes a digest, and what is known by one. */
const MAKES = ['sha256', 'sha256Name', 'digestOf', 'digest', 'candidateKey', 'inputsKey'];
const NAMED = /(?:digest|hash)$/i;
const OF_CANDIDATE = ['id', 'inputs', 'request'];
/** What takes a part, and what leaves so much of it that a part of that is one, too. */
const TAKES_PART = ['slice', 'substring', 'substr', 'subarray'];
const LEAVES = ['replace', 'replaceAll', 'split', 'toString', 'toLowerCase', 'toUpperCase', 'trim', 'at'];

/** What people read. */
const SHORTENS = ['shortCandidate', 'shortRevision', 'shownDigest'];
const COMPARES = ['===', '!==', '==', '!=', '<', '>', '<=', '>='];
/** What looks for its first argument, or keeps something by it. */
const LOOKS_FOR = [
  'get',
  'set',
  'has',
  'add',
  'delete',
  'includes',
  'indexOf',
  'startsWith',
  'endsWith',
  'localeCompare',
];

/** The sentences to print for digests of which a source of the operator takes a part: two that share it can be made (S18). */
export function shortenedDigests(file: string, source: string): string[] {
  if (!file.startsWith('operator/') || file.endsWith('.test.ts')) return [];
  const nodes = nodesOf(source);
  const aliases = aliasesOf(nodes, { value: (node) => isDigest(node, NONE) });
  const parts = ALLOWED.includes(file) ? [] : nodes.flatMap((node) => partTaken(node, aliases));
  const digits = new Digits(nodes);
  return [
    ...parts.map(
      (place) =>
        `${file}:${lineAt(source, place)}: a part of a digest is taken; keep and compare it whole, by sha256Name where 64 digits are too long.`,
    ),
    ...nodes
      .filter((node) => digits.areUsed(node))
      .map(
        ({ start }) =>
          `${file}:${lineAt(source, start)}: digits for people are compared, or something is kept by them; two digests that share them can be made: take the whole one.`,
      ),
  ];
}

const NONE: ReadonlySet<string> = new Set();

/** Where in the source, for a node that takes a part of a digest. */
function partTaken(node: AnyNode, aliases: ReadonlySet<string>): number[] {
  if (node.type !== 'CallExpression') return [];
  const call = methodCall(node);
  if (call === undefined || !TAKES_PART.includes(call.method ?? '') || !isDigest(call.of, aliases)) return [];
  const callee = bare(node.callee);
  return [callee?.type === 'MemberExpression' ? callee.property.start : node.start];
}

/** @param aliases what digests are called besides. */
function isDigest(given: Maybe<AnyNode>, aliases: ReadonlySet<string>): boolean {
  const node = bare(given);
  if (node?.type === 'Identifier') return NAMED.test(node.name) || aliases.has(node.name);
  if (node?.type === 'MemberExpression') {
    const name = memberName(node);
    // `digest.split(':')[1]`.
    if (node.computed && name !== undefined && isDigest(node.object, aliases)) return true;
    const isOfCandidate =
      OF_CANDIDATE.includes(name ?? '') && /candidate$/i.test(lastName(node.object) ?? '');
    return NAMED.test(name ?? '') || isOfCandidate;
  }
  if (node?.type === 'LogicalExpression') return isDigest(node.left, aliases);
  if (node?.type !== 'CallExpression') return false;
  if (MAKES.includes(lastName(node.callee) ?? '')) return true;
  const call = methodCall(node);
  return call !== undefined && LEAVES.includes(call.method ?? '') && isDigest(call.of, aliases);
}

/** The digits that people read of a digest, and what else they are used for. */
class Digits {
  readonly #aliases: ReadonlySet<string>;

  constructor(nodes: readonly AnyNode[]) {
    this.#aliases = new Set();
    this.#aliases = aliasesOf(nodes, { value: (node) => this.#are(node) });
  }

  areUsed(node: AnyNode): boolean {
    switch (node.type) {
      case 'BinaryExpression':
        return COMPARES.includes(node.operator) && (this.#are(node.left) || this.#are(node.right));
      case 'SwitchStatement':
        return this.#are(node.discriminant);
      case 'MemberExpression':
        return node.computed && this.#are(node.property);
      case 'Property':
        return node.computed && this.#are(node.key);
      case 'CallExpression': {
        const call = methodCall(node);
        if (lastName(node.callee) === 'isDeepStrictEqual')
          return node.arguments.some((one) => this.#are(one));
        if (call?.method === 'groupBy') return this.#isGiven(node.arguments[1]);
        if (call?.method === 'fromEntries') return node.arguments.some((one) => this.#haveKeys(one));
        return LOOKS_FOR.includes(call?.method ?? '') && this.#are(call?.given[0]);
      }
      case 'NewExpression':
        if (lastName(node.callee) === 'Map') return node.arguments.some((one) => this.#haveKeys(one));
        return lastName(node.callee) === 'Set' && node.arguments.some((one) => this.#haveThem(one));
      default:
        return false;
    }
  }

  #are(given: Maybe<AnyNode>): boolean {
    const node = bare(given);
    switch (node?.type) {
      case 'Identifier':
        return this.#aliases.has(node.name);
      case 'CallExpression':
        return SHORTENS.includes(lastName(node.callee) ?? '');
      case 'TemplateLiteral':
        return node.expressions.some((one) => this.#are(one));
      case 'BinaryExpression':
        return node.operator === '+' && (this.#are(node.left) || this.#are(node.right));
      case 'LogicalExpression':
        return this.#are(node.left) || this.#are(node.right);
      case 'ConditionalExpression':
        return this.#are(node.consequent) || this.#are(node.alternate);
      default:
        return false;
    }
  }

  /** `(candidate) => shortCandidate(candidate.id)`, and the function itself. */
  #isGiven(node: Maybe<AnyNode>): boolean {
    if (node?.type === 'ArrowFunctionExpression') return this.#are(node.body);
    return SHORTENS.includes(lastName(node) ?? '');
  }

  /** `[…]` of pairs that begin with them, or a list that is mapped to such pairs. */
  #haveKeys(node: Maybe<AnyNode>): boolean {
    const pairs = node?.type === 'ArrayExpression' ? node.elements : mapped(node);
    return pairs.some((pair) => pair?.type === 'ArrayExpression' && this.#are(pair.elements[0]));
  }

  #haveThem(node: Maybe<AnyNode>): boolean {
    if (node?.type === 'ArrayExpression') return node.elements.some((one) => this.#are(one));
    return methodCall(node)?.given.some((one) => this.#isGiven(one)) === true;
  }
}

/** What `list.map((one) => …)` makes of each. */
function mapped(node: Maybe<AnyNode>): AnyNode[] {
  const [change] = methodCall(node)?.given ?? [];
  return change?.type === 'ArrowFunctionExpression' ? [change.body] : [];
}

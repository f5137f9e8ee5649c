import { stripTypeScriptTypes } from 'node:module';
import { type AST, parseRegExpLiteral, RegExpParser } from '@eslint-community/regexpp';
import { type Node, parse } from 'acorn';

/** A regular expression in a source. */
export interface Expression {
  file: string;
  /** 1-based. */
  line: number;
  /** As written; of `new RegExp(…)` its argument. */
  text: string;
  /** Undefined where it is put together at run time, and so cannot be judged. */
  parsed: { pattern: AST.Pattern; flags: string } | undefined;
  /** What the comment in the line before says why it is harmless: `// Linear: …`. */
  reason: string | undefined;
}

/** How a comment begins that answers for an expression; what it says is for the reviewer. */
const REASON = '// Linear: ';

/** All regular expressions of a TypeScript source, `new RegExp` and `RegExp()` included. */
export function expressionsOf(file: string, source: string): Expression[] {
  // Types become white space: places stay as they are.
  const script = stripTypeScriptTypes(source);
  const lines = source.split('\n');
  const found: Expression[] = [];
  const visit = (node: Node): void => {
    const read = expressionAt(node, script);
    if (read !== undefined) {
      const line = script.slice(0, node.start).split('\n').length;
      found.push({ file, line, ...read, reason: reasonAbove(lines, line) });
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parse(script, { ecmaVersion: 'latest', sourceType: 'module' }));
  return found;
}

function reasonAbove(lines: readonly string[], line: number): string | undefined {
  // Over what the formatter puts between: the beginning of the statement.
  for (let above = line - 1; above > 0 && above >= line - 4; above -= 1) {
    const text = lines[above - 1]?.trim() ?? '';
    if (text.startsWith(REASON)) return text.slice(REASON.length);
    if (text.endsWith(';')) return undefined;
  }
  return undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** What a node of the syntax tree is made of. */
export function childrenOf(node: Node): Node[] {
  return Object.values(node as unknown as Fields)
    .flat()
    .filter((value): value is Node => typeof (value as Partial<Node> | null)?.type === 'string');
}

function expressionAt(node: Node, script: string): Pick<Expression, 'text' | 'parsed'> | undefined {
  const fields = node as unknown as Fields;
  if (node.type === 'Literal' && fields.regex !== undefined) {
    const text = script.slice(node.start, node.end);
    const { pattern, flags } = parseRegExpLiteral(text);
    return { text, parsed: { pattern, flags: flags.raw } };
  }
  if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return undefined;
  if (!makesExpression(fields)) return undefined;
  const [pattern, flags] = fields.arguments as { value?: unknown; start: number; end: number }[];
  const text = pattern === undefined ? '' : script.slice(pattern.start, pattern.end);
  if (typeof pattern?.value !== 'string') return { text, parsed: undefined };
  const marks = typeof flags?.value === 'string' ? flags.value : '';
  return { text, parsed: { pattern: new RegExpParser().parsePattern(pattern.value), flags: marks } };
}

/** What makes an expression of a string: these take one, too. */
const SEARCHES = ['match', 'matchAll', 'search'];

function makesExpression({ callee, arguments: given }: Fields): boolean {
  const { name, property } = callee as { name?: unknown; property?: { name?: unknown; value?: unknown } };
  // `text.match` or `text['match']`.
  const called = String(property?.name ?? property?.value);
  if (name === 'RegExp' || called === 'RegExp') return true;
  const [pattern] = given as { type: string; value?: unknown }[];
  const isText = typeof pattern?.value === 'string' || pattern?.type === 'TemplateLiteral';
  return SEARCHES.includes(called) && isText;
}

/**
 * The sentence to print for an expression that may take more than linear time on a text that others decide;
 * undefined for a good one. Every part without a bound counts, and so does the search for a beginning where none
 * is fixed by `^` or the flag `y`; the last part does not, where nothing has to follow it. Two that overlap
 * take quadratic time at least; whether they overlap is for a person to say, in a comment before the expression.
 */
export function objection({ file, line, text, parsed, reason }: Expression): string | undefined {
  if (reason !== undefined) return undefined;
  const where = `${file}:${line}: ${text}`;
  const next = `bound them ({0,200}), read the text with indexOf, or say in the line before why it is harmless: ${REASON}…`;
  if (parsed === undefined) return `${where} is put together at run time and cannot be judged: ${next}`;
  const { pattern, flags } = parsed;
  const unbounded = Math.max(0, ...pattern.alternatives.map((each) => unboundedIn(each, flags)));
  if (unbounded < 2) return undefined;
  return `${where} has ${unbounded} parts without a bound (the search for its beginning may be one): ${next}`;
}

/** A bound of more is none: two such parts may take a million steps, and a search for their beginning each a thousand. */
const LARGEST_BOUND = 1_000;

function unboundedIn(alternative: AST.Alternative, flags: string): number {
  const [first] = alternative.elements;
  const isAnchored =
    flags.includes('y') || (first?.type === 'Assertion' && first.kind === 'start' && !flags.includes('m'));
  const last = alternative.elements.at(-1);
  // Whatever it takes, the expression has matched by then.
  const isFree = last?.type === 'Quantifier' && last.max > LARGEST_BOUND && count(last.element) === 0;
  return (isAnchored ? 0 : 1) + count(alternative) - (isFree ? 1 : 0);
}

/** The most parts without a bound on one way through; one inside another counts as two at least. */
function count(part: AST.Element | AST.Alternative): number {
  switch (part.type) {
    case 'Alternative':
      return part.elements.reduce((sum, element) => sum + count(element), 0);
    case 'Group':
    case 'CapturingGroup':
      return Math.max(0, ...part.alternatives.map(count));
    case 'Quantifier': {
      const inside = count(part.element);
      // What may be divided in many ways is: in two to the power of the text's length.
      const divided = part.max > 1 && isDivisible(part.element) ? 2 : 0;
      return (part.max > LARGEST_BOUND ? 1 : 0) + Math.max(inside, divided);
    }
    case 'Assertion':
      return 'alternatives' in part ? Math.max(0, ...part.alternatives.map(count)) : 0;
    case 'Backreference':
      return 1;
    default:
      return 0;
  }
}

/** Whether a repeated part may match one text in several ways, as far as that is not ruled out. */
function isDivisible(part: AST.QuantifiableElement): boolean {
  if (part.type !== 'Group' && part.type !== 'CapturingGroup') return false;
  const { alternatives } = part;
  const overlap = alternatives.some((one, index) =>
    alternatives.slice(index + 1).some((other) => mayBeginAlike(one, other)),
  );
  return overlap || alternatives.some((each) => endsOpen(each));
}

/** Whether the end may take more or less: the next repetition, or what follows, may take the same text. */
function endsOpen({ elements }: AST.Alternative): boolean {
  const [first] = elements;
  const optional = elements.findLastIndex((element) => !(element.type === 'Quantifier' && element.min === 0));
  return elements.slice(Math.max(0, optional)).some((end) => {
    if (end.type !== 'Quantifier' || end.min === end.max) return false;
    // What begins with something else than it ends with is divided in one way.
    return elements.length === 1 || first === undefined || shareCharacter(end.element, first);
  });
}

function mayBeginAlike(one: AST.Alternative, other: AST.Alternative): boolean {
  const [first] = one.elements;
  const [second] = other.elements;
  return first === undefined || second === undefined || shareCharacter(first, second);
}

/** The characters that expressions tell apart. */
const CHARACTERS = Array.from({ length: 0x300 }, (_, code) => String.fromCodePoint(code));

function shareCharacter(one: AST.Element, other: AST.Element): boolean {
  const [first, second] = [expressionOf(one), expressionOf(other)];
  if (first === undefined || second === undefined) return true;
  return CHARACTERS.some((character) => first.test(character) && second.test(character));
}

/** Of one character that the element begins with; undefined where that is not known. */
function expressionOf(element: AST.Element): RegExp | undefined {
  const part = element.type === 'Quantifier' && element.min > 0 ? element.element : element;
  if (part.type !== 'Character' && part.type !== 'CharacterClass' && part.type !== 'CharacterSet')
    return undefined;
  return new RegExp(`^${part.raw}$`, 's');
}

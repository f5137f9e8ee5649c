import { type Terminal, wrap } from './terminal.ts';

/** A line of a tree, and what stands below it. */
export interface Node {
  text: string;
  below?: readonly Node[];
}

/** One line a node, a long one broken at the terminal's width. */
export function treeLines({ text, below = [] }: Node, { width }: Pick<Terminal, 'width'>): string[] {
  return [...wrap(text, width, '  '), ...branches(below, '', width)];
}

function branches(nodes: readonly Node[], before: string, width: number | undefined): string[] {
  return nodes.flatMap(({ text, below = [] }, index) => {
    const isLast = index === nodes.length - 1;
    const next = `${before}${isLast ? '   ' : '│  '}`;
    const room = width === undefined ? undefined : Math.max(20, width - before.length - 3);
    const [first = '', ...more] = wrap(text, room);
    return [
      `${before}${isLast ? '└─ ' : '├─ '}${first}`,
      ...more.map((line) => `${next}${line}`),
      ...branches(below, next, width),
    ];
  });
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as names from '../../operator/api/v1alpha1/names.ts';
import { code, GENERATED, table } from './markdown.ts';

const SOURCE = join(import.meta.dirname, '../../operator/api/v1alpha1/names.ts');
const KINDS: Readonly<Record<string, string>> = {
  LABEL: 'label',
  ANNOTATION: 'annotation',
  FINALIZER: 'finalizer',
};

/** The reference page of labels, annotations and finalizers: names.ts with what its comments say. */
export function annotationsPage(): string {
  const comments = new Map(
    [
      ...readFileSync(SOURCE, 'utf8').matchAll(/\/\*\*([^*]*(?:\*(?!\/)[^*]*)*)\*\/\s*export const (\w+)/g),
    ].map(([, comment = '', name = '']) => [name, comment.replaceAll(/\s*\n\s*\*\s*/g, ' ').trim()] as const),
  );
  const rows = Object.entries(names).flatMap(([constant, value]) => {
    const kind = KINDS[constant.split('_')[0] ?? ''];
    if (kind === undefined) return [];
    const comment = comments.get(constant);
    const [, where, what] = /^On ([^:]+): (.+)$/.exec(comment ?? '') ?? [];
    if (where === undefined || what === undefined) {
      throw new Error(`names.ts: the comment of ${constant} must read "On <what>: <what it says>."`);
    }
    return [
      [code(value), kind, where, what.charAt(0).toUpperCase() + what.slice(1).replace(/ \([A-Z]\d+\)/, '')],
    ];
  });
  return `${GENERATED}
# Labels, annotations, finalizers
${table(['name', 'is a', 'on', 'what it says'], rows)}
`;
}

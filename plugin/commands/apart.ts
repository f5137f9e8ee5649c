import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { keyOf } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { Named } from './overtaken.ts';

type Entry = NonNullable<Application['spec']['environments']>[number];

/**
 * Where environments follow refs of their own no commit comes to all of them, and where they read files of their own no
 * candidate does: who waited for that would wait for ever.
 *
 * @throws CommandError where no environment is named and there is none that all have in common.
 */
export function refuseApart({ spec, ...application }: Application, { by }: Named): void {
  const { environments = [], source } = spec;
  const common: (entry: Entry) => string =
    by === 'revision'
      ? ({ ref = source.ref }) => refText(ref)
      : ({ path = source.path, valuesFiles = [] }) => [`path ${path}`, ...valuesFiles].join(', ');
  const groups = new Map<string, string[]>();
  for (const entry of environments) {
    const what = common(entry);
    groups.set(what, [...(groups.get(what) ?? []), entry.name]);
  }
  if (groups.size < 2) return;
  const why =
    by === 'revision'
      ? 'do not follow the same ref, and a commit comes to those alone that follow one that has it'
      : 'do not read the same files, and have candidates of their own each';
  const named = [...groups].map(([what, of]) => `${of.join(', ')} (${what})`);
  throw new CommandError(
    `The environments of ${keyOf({ spec, ...application })} ${why}: name the one to wait for: ${named.join('; ')}.`,
    EXIT.Usage,
  );
}

function refText(ref: Entry['ref']): string {
  const [kind, name] = Object.entries(ref ?? {})[0] ?? [];
  return kind === undefined ? 'the default branch' : `${kind} ${name}`;
}

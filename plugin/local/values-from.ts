import { z } from 'zod';
import { type ApiServer, wordsIn } from '../cluster/api-server.ts';
import { CommandError } from '../exit-codes.ts';
import type { Layer } from './landing.ts';

/** Values of a ConfigMap or a Secret, as the engine takes them. */
export interface ValuesFrom {
  name: string;
  text: string;
  secret: boolean;
}

const dataSchema = z.object({ data: z.record(z.string(), z.string()).nullish() });
const PLURALS = { ConfigMap: 'configmaps', Secret: 'secrets' } as const;
const FORBIDDEN = 403;
const NOT_FOUND = 404;

/**
 * What a layer's valuesFrom names in the namespace of the Application, as far as the user may read it; of each that
 * they may not, a sentence.
 *
 * @throws CommandError for one that is missing: a sync would wait for it, too.
 */
export async function readValuesFrom(
  server: ApiServer,
  namespace: string,
  { field, valuesFrom }: Layer,
): Promise<{ found: ValuesFrom[]; unknown: string[] }> {
  const found: ValuesFrom[] = [];
  const unknown: string[] = [];
  for (const { kind, name, key, optional } of valuesFrom) {
    const object = `${kind} ${namespace}/${name}`;
    const path = `/api/v1/namespaces/${namespace}/${PLURALS[kind]}/${name}`;
    const { status, text } = await server.send(path);
    if (status === FORBIDDEN) {
      unknown.push(
        `${object} cannot be read with your rights: what its key ${key}, which ${field}.valuesFrom names, makes of the chart is not known.`,
      );
      continue;
    }
    if (status === NOT_FOUND && optional) continue;
    if (status === NOT_FOUND)
      throw new CommandError(
        `${object}, which ${field}.valuesFrom names, does not exist: a sync would wait for it. Create it.`,
      );
    if (status !== 200) throw new CommandError(`${object} cannot be read: ${wordsIn(text, status)}`);
    const value = dataSchema.parse(JSON.parse(text)).data?.[key];
    if (value === undefined && optional) continue;
    if (value === undefined)
      throw new CommandError(
        `${object} has no key ${key}, which ${field}.valuesFrom names: a sync would wait for it. Add it.`,
      );
    found.push({
      name: `${kind} ${name} key ${key}`,
      text: kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value,
      secret: kind === 'Secret',
    });
  }
  return { found, unknown };
}

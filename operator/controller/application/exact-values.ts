import { membersOf } from '../../api/foreign-object.ts';
import { exactJson, hasInexactNumber, isTooDeep } from '../../api/v1alpha1/values-text.ts';
import type { KubeClient, KubeObject, ResourceName } from '../../kube/client.ts';
import { ENVIRONMENTS } from '../environment/environments.ts';
import type { Overlay, ValuesAt } from '../record/target.ts';
import { APPLICATIONS } from './status/writer.ts';

/** Exact JSON texts by the fields of the values. */
export type ExactValues = ReadonlyMap<string, string>;

/** Where values stand in the resource that has them. */
type Find = (resource: unknown) => unknown;

/**
 * Exact JSON texts of all values that are merged for a target: numbers that JSON.parse cannot hold are read again, from
 * the text that the API server sends.
 */
export async function exactValues(
  client: KubeClient,
  application: KubeObject,
  environment: string,
  { defaults, layers }: Overlay,
  signal: AbortSignal,
): Promise<ExactValues> {
  const { name, namespace = '' } = application.metadata;
  const ofApplication = { resource: APPLICATIONS, namespace, name };
  const found: (readonly [ValuesAt, string])[] = [];
  const add = async (at: ValuesAt | undefined, path: Place, find: Find) => {
    // What is nested too deep is told as soon as the commit is known; until then nothing may follow it to its end.
    if (at === undefined || isTooDeep(at.values)) return;
    found.push([at, await textOf(client, at, path, find, signal)]);
  };
  await add(defaults, { resource: ENVIRONMENTS, name: environment }, (it) => memberAt(it, 'spec', 'values'));
  for (const [index, { values }] of layers.entries())
    await add(values, ofApplication, (it) =>
      index === 0 ? memberAt(it, 'spec', 'helm', 'values') : memberAt(entryOf(it, environment), 'values'),
    );
  return new Map(found.map(([{ field }, text]) => [field, text]));
}

interface Place {
  resource: ResourceName;
  namespace?: string;
  name: string;
}

async function textOf(
  client: KubeClient,
  { values }: ValuesAt,
  path: Place,
  find: Find,
  signal: AbortSignal,
): Promise<string> {
  if (!hasInexactNumber(values)) return JSON.stringify(values);
  const exact = find(exactJson(await client.getText(path, { signal })));
  return JSON.stringify(exact ?? values);
}

function memberAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => membersOf(at)[name], value);
}

function entryOf(application: unknown, environment: string): unknown {
  const entries = memberAt(application, 'spec', 'environments');
  return Array.isArray(entries)
    ? entries.find((entry) => membersOf(entry)['name'] === environment)
    : undefined;
}

import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { objectKey } from '../../manifest/manifest.ts';
import type { Manifests } from '../record/record.ts';
import type { Wanted } from './wanted.ts';

/** What the render found odd. */
export function renderWarnings({ spec }: Application, { warnings = [] }: Wanted): TowpathError[] {
  const { chart } = spec.helm ?? {};
  const what = chart === undefined ? (spec.source?.path ?? '.') : `Chart ${chart.name}`;
  const next = chart === undefined ? 'Correct it in Git' : 'Correct the values, or tell who publishes it,';
  return warnings.map((warning) => {
    const text = `${what} renders with a warning: ${warning}. ${next} unless it is meant so.`;
    return new TowpathError('Person', 'RenderWarning', text);
  });
}

/** What the chart makes and is rendered with: that may come to rest, as a password that is made once, or never. */
export function circularValues({ metadata, spec }: Application, { objects }: Manifests): TowpathError[] {
  const { namespace } = metadata;
  return (spec.helm?.valuesFrom ?? []).flatMap(({ kind, name }) => {
    const key = objectKey({ group: '', kind, namespace, name });
    if (!objects.some((object) => objectKey(object) === key)) return [];
    const text = `${kind} ${namespace}/${name} is rendered, and spec.helm.valuesFrom reads it: each deployment may change what is rendered next. Use another one unless that comes to rest.`;
    return [new TowpathError('Person', 'RenderWarning', text)];
  });
}

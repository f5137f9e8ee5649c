import type { Right } from '../../operator/kube/rights.ts';
import type { RecordedRequest } from './recorded-request.ts';

/** A namespace, or '' for the whole cluster. */
export type Scope = string;

/** Each single thing that rules allow in a scope, in words: `patch applications.towpath.dev/status in shop`. */
export function allowedBy(rights: readonly Right[], scope: Scope): string[] {
  return rights.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          (resourceNames ?? [undefined]).map((name) => inWords({ verb, group, resource, name, scope })),
        ),
      ),
    ),
  );
}

const RESOURCE =
  /^\/api(?:s\/(?<group>[^/]+))?\/[^/]+\/(?:namespaces\/(?<namespace>[^/]+)\/(?!status$|finalize$))?(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+))?)?$/;

/**
 * What a request of the operator itself needs to be allowed, in the same words: of each list one would do. None where
 * it asks as somebody else, or for no resource.
 */
export function needsOf({ verb, path, impersonate, status }: RecordedRequest): string[][] {
  const { group = '', namespace = '', plural, name, subresource } = RESOURCE.exec(path)?.groups ?? {};
  if (impersonate !== '' || plural === undefined || verb === 'other') return [];
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  // A server-side apply that creates must be allowed both, by the name.
  const verbs = verb !== 'apply' ? [verb] : status === 201 ? ['patch', 'create'] : ['patch'];
  // A namespace stands in itself.
  const scopes = new Set([plural === 'namespaces' ? (name ?? '') : namespace, '']);
  return verbs.map((verb) =>
    [...scopes].flatMap((scope) =>
      [undefined, name].map((one) => inWords({ verb, group, resource, name: one, scope })),
    ),
  );
}

interface Need {
  verb: string;
  group: string;
  resource: string;
  /** Of this object alone. */
  name: string | undefined;
  scope: Scope;
}

function inWords({ verb, group, resource, name, scope }: Need): string {
  const [plural, subresource] = resource.split('/');
  const what = [group === '' ? plural : `${plural}.${group}`, subresource].filter(Boolean).join('/');
  return `${verb} ${what}${name === undefined ? '' : ` ${name}`} in ${scope === '' ? 'the cluster' : scope}`;
}

import { TowpathError } from '../../api/errors.ts';
import { ANNOTATION_HOSTS } from '../../api/v1alpha1/names.ts';
import type { ClusterAccess } from '../../kube/kubeconfig.ts';
import { refusedBy } from '../../source/bound-hosts.ts';
import { hostAndPort } from '../../source/charts/chart-url.ts';
import { printable } from '../../source/text.ts';

/** A Secret with a kubeconfig, as messages name it, and the hosts that it is bound to; undefined: to none. */
export interface BoundSecret {
  /** `Secret towpath/eu`. */
  readonly name: string;
  readonly hosts: string | undefined;
}

/** S17: why a kubeconfig is not used: it leads to a host, or by way of one, that its Secret does not name. */
export function hostRefusal(
  { name, hosts }: BoundSecret,
  { access }: Pick<ClusterAccess, 'access'>,
): TowpathError | undefined {
  if (hosts === undefined) return undefined;
  const fields = { server: access.server, 'proxy-url': access.proxyUrl };
  for (const [field, written] of Object.entries(fields)) {
    const url = URL.parse(written ?? '');
    if (url === null) continue;
    const { host, port } = hostAndPort(url);
    const bound = refusedBy(hosts, { host, port });
    if (bound === undefined) continue;
    const next = 'Add the host there if it may have the credential, or store another kubeconfig.';
    return new TowpathError(
      'Person',
      'HostNotListed',
      `${name} may not be sent to ${printable(host, 100)}:${port}, which \`${field}\` of its kubeconfig names: its annotation ${ANNOTATION_HOSTS} ${bound}. ${next}`,
      { next },
    );
  }
  return undefined;
}

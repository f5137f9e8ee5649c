import { environmentNames, namespace, operatorNamespace } from './names.ts';
import type { Shell } from './shell.ts';
import { say, timed } from './terminal.ts';

const environments = Object.values(environmentNames);
const namespaces = [namespace, operatorNamespace, ...environments.map((name) => `towpath-${name}`)].join(' ');
const NO_FINALIZERS = `--type=merge -p '{"metadata":{"finalizers":null}}'`;
/** Nobody but an operator takes finalizers away. */
const RELEASE = [
  `kubectl -n ${namespace} patch applications.towpath.dev podinfo shop ${NO_FINALIZERS}`,
  `kubectl patch environments.towpath.dev ${environments.join(' ')} ${NO_FINALIZERS}`,
];
const INSTALLED =
  'clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';

/** The user's cluster, which the demo leaves as it was. */
export interface CurrentCluster {
  /** Whether it knew Applications before the demo. */
  readonly hasDefinition: boolean;
  /** Removes what the demo made, with a limit; call it while the operator runs or after its end. */
  leave(): Promise<void>;
}

/**
 * Writes a kubeconfig of our own for the context that is current, so that the user's is not changed, and
 * makes sure that nobody else uses the demo's namespaces.
 */
export async function enterCurrentCluster(shell: Shell): Promise<CurrentCluster> {
  await orTell(
    shell.ask(
      'umask 077; KUBECONFIG="$TOWPATH_USER_KUBECONFIG" kubectl config view --raw --minify --flatten > "$KUBECONFIG"',
    ),
    'CLUSTER=current needs a kubeconfig with a current context: set KUBECONFIG, or leave CLUSTER out.',
  );
  const server = await shell.ask('kubectl config view --minify -o jsonpath="{.clusters[0].cluster.server}"');
  say(`The demo uses your cluster: ${server}`);
  await orTell(
    shell.ask('kubectl get --raw /readyz --request-timeout=15s'),
    'It does not answer as it should: try `kubectl get namespaces` with the same KUBECONFIG.',
  );
  const found = await shell.ask(`kubectl get namespaces ${namespaces} --ignore-not-found -o name`);
  if (found !== '') {
    throw new Error(
      `There is ${found.split('\n').join(' and ')} already, perhaps of a demo that was killed. If nobody needs it:\n` +
        RELEASE.map((line) => `  ${line}\n`).join('') +
        `  kubectl delete environments.towpath.dev ${environments.join(' ')}\n  kubectl delete namespace ${namespaces}\n` +
        `  kubectl delete ${INSTALLED} -l towpath.dev/installed-in=${operatorNamespace}`,
    );
  }
  await checkAlone(shell);
  const hasDefinition = await hasDefinitions(shell);
  return {
    hasDefinition,
    leave: () => timed('Removing what the demo made in your cluster', leave(shell, { hasDefinition })),
  };
}

/** Whether the cluster knows our kinds; what it knows is never deleted. */
async function hasDefinitions(shell: Shell): Promise<boolean> {
  const kinds = ['applications', 'environments', 'promotionpolicies'].map(
    (plural) => `${plural}.towpath.dev`,
  );
  const found = await shell.ask(`kubectl get crd ${kinds.join(' ')} --ignore-not-found -o name`);
  const names = found.split('\n').filter((name) => name !== '');
  if (names.length > 0 && names.length < kinds.length)
    throw new Error(
      `Of Towpath's definitions your cluster has ${names.join()} alone: install the others with kubectl apply --server-side -f crds, or leave CLUSTER out.`,
    );
  return names.length > 0;
}

interface Leases {
  items: { metadata: { namespace: string }; spec?: { holderIdentity?: string; renewTime?: string } }[];
}

/** Two operators that look after the same Application would each refuse the other's objects. */
async function checkAlone(shell: Shell): Promise<void> {
  const text = await shell.ask('kubectl get leases -A --field-selector metadata.name=towpath -o json');
  const leading = (JSON.parse(text) as Leases).items.find(
    ({ spec }) => spec?.holderIdentity && Date.now() - Date.parse(spec.renewTime ?? '') < 60_000,
  );
  if (leading === undefined) return;
  throw new Error(
    `Towpath runs for this cluster already (its Lease is in namespace ${leading.metadata.namespace}): stop it meanwhile, or leave CLUSTER out.`,
  );
}

async function orTell(work: Promise<unknown>, next: string): Promise<void> {
  try {
    await work;
  } catch (cause) {
    const last = cause instanceof Error ? (cause.message.split('\n').at(-1) ?? '') : String(cause);
    throw new Error(`${next}\n${last}`, { cause });
  }
}

/** The demo's own signal may have ended already, so these commands do not listen to it. */
async function leave(shell: Shell, { hasDefinition }: { hasDefinition: boolean }): Promise<void> {
  const { ask } = shell.unsignalled;
  // The operator has ended: nobody else would take the finalizer away.
  for (const line of RELEASE) await ask(`${line} || true`);
  await ask(`kubectl delete environments.towpath.dev ${environments.join(' ')} --timeout=30s || true`);
  await ask(`kubectl delete namespace ${namespaces} --ignore-not-found --timeout=60s`);
  // What of the chart stands in no namespace.
  await ask(`kubectl delete ${INSTALLED} -l towpath.dev/installed-in=${operatorNamespace} --timeout=30s`);
  if (!hasDefinition)
    await ask(
      'kubectl delete crd applications.towpath.dev approvals.towpath.dev environments.towpath.dev promotionpolicies.towpath.dev promotions.towpath.dev --ignore-not-found --timeout=30s',
    );
}

import { namespace, operatorNamespace } from './names.ts';
import type { Shell } from './shell.ts';
import { say, timed } from './terminal.ts';

/** The user's cluster, which the demo leaves as it was. */
export interface CurrentCluster {
  /** Whether it knew Applications before the demo. */
  readonly hasDefinition: boolean;
  /** Removes what the demo made, with a limit; call it while the operator runs or after its end. */
  leave(): Promise<void>;
}

const namespaces = `${namespace} ${operatorNamespace}`;

/**
 * Writes a kubeconfig of our own for the context that is current, so that the user's is not changed, and
 * makes sure that nobody else uses the demo's namespaces.
 */
export async function enterCurrentCluster(shell: Shell): Promise<CurrentCluster> {
  await shell.ask(
    'umask 077; KUBECONFIG="$TOWPATH_USER_KUBECONFIG" kubectl config view --raw --minify --flatten > "$KUBECONFIG"',
  );
  const server = await shell.ask('kubectl config view --minify -o jsonpath="{.clusters[0].cluster.server}"');
  say(`The demo uses your cluster: ${server}`);
  await shell.ask('kubectl get --raw /readyz --request-timeout=15s');
  const found = await shell.ask(`kubectl get namespaces ${namespaces} --ignore-not-found -o name`);
  if (found !== '') {
    throw new Error(
      `There is ${found.split('\n').join(' and ')} already, perhaps of a demo that was killed. If nobody needs it:\n` +
        `  kubectl -n ${namespace} patch applications.towpath.dev podinfo --type=merge -p '{"metadata":{"finalizers":null}}'\n` +
        `  kubectl delete namespace ${namespaces}`,
    );
  }
  const definition = await shell.ask('kubectl get crd applications.towpath.dev --ignore-not-found -o name');
  const hasDefinition = definition !== '';
  return {
    hasDefinition,
    leave: () => timed('Removing what the demo made in your cluster', leave(shell, hasDefinition)),
  };
}

/** The demo's own signal may have ended already, so these commands do not listen to it. */
async function leave(shell: Shell, hasDefinition: boolean): Promise<void> {
  const { ask } = shell.unsignalled;
  // The operator has ended: nobody else would take the finalizer away.
  const release = `kubectl -n ${namespace} patch applications.towpath.dev podinfo --type=merge -p '{"metadata":{"finalizers":null}}'`;
  await ask(`${release} || true`);
  await ask(`kubectl delete namespace ${namespaces} --ignore-not-found --timeout=60s`);
  if (!hasDefinition)
    await ask('kubectl delete crd applications.towpath.dev --ignore-not-found --timeout=30s');
}

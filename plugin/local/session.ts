import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { readApplication } from '../application.ts';
import { type ApiServer, withApiServer } from '../cluster/api-server.ts';
import { discover, type Served } from '../cluster/discovery.ts';
import type { Kubectl } from '../kubectl.ts';
import { type Clone, readClone } from './clone.ts';
import { environmentMeant } from './place.ts';

/** An Application in one environment, a clone, and the cluster, for as long as a command looks at them. */
export interface LocalSession {
  application: Application;
  environment: string;
  clone: Clone;
  server: ApiServer;
  served: Served;
  signal: AbortSignal;
}

/** @param context with the words of the command line: APP [ENV]. */
export async function withClone<T>(
  context: { kubectl: Kubectl; words: readonly string[]; signal: AbortSignal },
  directory: string,
  work: (session: LocalSession) => Promise<T>,
): Promise<T> {
  const { kubectl, words, signal } = context;
  const [name = '', environmentName] = words;
  const application = await readApplication(kubectl, name, signal);
  const environment = environmentMeant(application, environmentName);
  const clone = await readClone(directory);
  return withApiServer(context, async (server) =>
    work({ application, environment, clone, server, served: await discover(server), signal }),
  );
}

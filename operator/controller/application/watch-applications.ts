import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ListWatch, type WatchEvent } from '../../kube/list-watch.ts';
import { entryOf } from '../../kube/object-store.ts';
import { tellingFaults } from '../../kube/watch-faults.ts';
import type { Logger } from '../../observe/log.ts';
import { APPLICATIONS } from './status/writer.ts';

export interface WatchApplicationsOptions {
  client: KubeClient;
  /** '': of all namespaces. */
  namespace: string;
  log: Logger;
  onEvent(event: WatchEvent<KubeObject>): void;
}

/** The watch of the Applications themselves, not started yet. */
export function watchApplications(options: WatchApplicationsOptions): ListWatch<KubeObject> {
  const { client, namespace, log, onEvent } = options;
  return new ListWatch<KubeObject>({
    client,
    resource: APPLICATIONS,
    ...(namespace === '' ? {} : { namespace }),
    reduce: withoutManagedFields,
    onEvent,
    onState: tellingFaults({
      warn: (error) => log.warn({ error }, 'Applications cannot be watched; it is tried again.'),
    }),
  });
}

/** Takes in an Application as a request was answered: what is known of it is never behind our own writes. */
export function takeAnswer(applications: ListWatch<KubeObject>, object: KubeObject): void {
  applications.takeIn(entryOf(object, withoutManagedFields(object)));
}

function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

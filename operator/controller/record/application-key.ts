/** `<namespace>/<name>`: what the queue of Applications and every map of them go by. */
export function applicationKey({
  metadata,
}: {
  metadata: { namespace?: string | undefined; name: string };
}): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The key of the Application that the target with that name is of. */
export function applicationOf(target: string): string {
  return target.slice(0, target.lastIndexOf('/'));
}

/** The namespace of the Application with that key, or of the one that the target with that name is of. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

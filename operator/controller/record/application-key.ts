/** `<namespace>/<name>`: what the queue and every map of Applications go by. */
export function applicationKey({
  metadata,
}: {
  metadata: { namespace?: string | undefined; name: string };
}): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The namespace of the Application with that key. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

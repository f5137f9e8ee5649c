/** Who shares with others what the operator has of disk and time: of `<namespace>/<name>` the namespace. */
export function tenantOf(key: string): string {
  return key.split('/', 1)[0] ?? key;
}

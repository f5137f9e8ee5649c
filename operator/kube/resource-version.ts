/**
 * Whether one resourceVersion is newer than another of the same resource: they can be compared as numbers
 * (KEP-5504), and are too large for a JavaScript number.
 */
export function isNewerVersion(version: string, than: string): boolean {
  return version.length !== than.length ? version.length > than.length : version > than;
}

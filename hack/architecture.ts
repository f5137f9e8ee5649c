/** This machine's architecture as Go, Debian and Docker name it: amd64, arm64. */
export function ourArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

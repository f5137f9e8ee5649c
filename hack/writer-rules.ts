/** Only this one writes an Application: its status is decided once, and each write is conditional. */
const WRITER = 'operator/controller/application/status/writer.ts';
const NAMES_APPLICATIONS = /\bAPPLICATIONS\b|plural: 'applications'/;
/** As KubeClient has them; of a Map `delete` takes no path. */
const WRITE = /\.(?:create|apply|mergePatch|jsonPatch)\(|\.delete\(\s*\{/g;

/** The sentences to print for places of the operator that write to Applications beside their writer. */
export function otherWriters(file: string, source: string): string[] {
  if (!file.startsWith('operator/') || file.endsWith('.test.ts') || file === WRITER) return [];
  if (!NAMES_APPLICATIONS.test(source)) return [];
  return [...source.matchAll(WRITE)].map(({ index }) => {
    const line = source.slice(0, index).split('\n').length;
    return `${file}:${line}: writes where it knows the Applications: have ${WRITER} do it.`;
  });
}

import { sha256 } from '../manifest/digest.ts';

/**
 * What a render read of its cluster, with the answers: `kubeVersion`, `has apps/v1` (of .Capabilities.APIVersions),
 * `apiVersions` (all of them, as a digest) and `scope apps/Deployment` (whether the kind's objects have a namespace).
 */
export type ClusterReads = Readonly<Record<string, string>>;

/** What is known of a cluster; undefined: it does not say at the moment. */
export interface ClusterAnswers {
  kubeVersion(): string | undefined;
  /** `apps/v1` or `apps/v1/Deployment`. */
  serves(name: string): boolean | undefined;
  apiVersionsDigest(): string | undefined;
  /** Of `group/Kind`. */
  isNamespaced(kind: string): boolean | undefined;
}

/** The answer to one read as it is now; undefined where there is none. */
export function answerTo(read: string, cluster: ClusterAnswers): string | undefined {
  if (read === 'kubeVersion') return cluster.kubeVersion();
  if (read === 'apiVersions') return cluster.apiVersionsDigest();
  const at = read.indexOf(' ');
  const name = read.slice(at + 1);
  const answer = read.slice(0, at) === 'has' ? cluster.serves(name) : cluster.isNamespaced(name);
  return answer === undefined ? undefined : String(answer);
}

/** Whether every read is answered as it was then, as far as it is answered. */
export function areAnsweredAlike(reads: ClusterReads, cluster: ClusterAnswers): boolean {
  return Object.entries(reads).every(([read, before]) => {
    const now = answerTo(read, cluster);
    return now === undefined || now === before;
  });
}

/** The answers that a request has for the engine: a kind that nobody knows is taken for one with namespaces. */
export function answersOf({
  capabilities,
  scopes,
}: {
  capabilities: { kubeVersion: string; apiVersions: readonly string[] };
  scopes: Readonly<Record<string, boolean>>;
}): ClusterAnswers {
  return {
    kubeVersion: () => capabilities.kubeVersion,
    serves: (name) => capabilities.apiVersions.includes(name),
    apiVersionsDigest: () => digestOfVersions(capabilities.apiVersions),
    isNamespaced: (kind) => scopes[kind] ?? true,
  };
}

export function digestOfVersions(apiVersions: readonly string[]): string {
  return sha256(apiVersions.join('\n'));
}

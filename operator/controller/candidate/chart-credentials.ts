import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_HOSTS } from '../../api/v1alpha1/names.ts';
import { refusedBy } from '../../source/bound-hosts.ts';
import { hostAndPort, repositoryUrl } from '../../source/charts/chart-url.ts';
import { longestPrefix, registryCredential } from '../../source/charts/registry-credential.ts';
import type { Credential } from '../../source/credential.ts';
import { printable } from '../../source/text.ts';
import type { Reference, ReferencedContent } from './references.ts';

/** @throws TowpathError where the repository has a credential that is missing, wrong, or not for its host (S17). */
export type CredentialFor = (repository: string) => Credential | undefined;

export function registrySecretsOf({ metadata, spec }: Application): Reference[] {
  const { namespace } = metadata;
  const { chart, registries = [] } = spec.helm ?? {};
  const own = [chart?.secretRef, chart?.verify?.secretRef].filter((each) => each !== undefined);
  return [...own, ...registries.map(({ secretRef }) => secretRef)].map(({ name }) => ({
    kind: 'Secret',
    namespace,
    name,
  }));
}

/** What the chart repositories are asked with; a Secret that nothing is fetched with may be missing. */
export function chartCredentialsOf(
  { metadata, spec }: Application,
  contents: ReadonlyMap<string, ReferencedContent>,
): CredentialFor {
  const registries = spec.helm?.registries ?? [];
  return (repository) => {
    if (registries.length === 0) return undefined;
    const url = repositoryUrl(repository);
    const found = longestPrefix(registries, url.href);
    if (found === undefined) return undefined;
    const { namespace } = metadata;
    const { name } = found.secretRef;
    const named = { namespace, name, field: 'spec.helm.registries', what: found.prefix };
    return credentialIn(named, url, contents);
  };
}

/** What the repository of spec.helm.chart is asked with. @throws as a CredentialFor does */
export function publishedCredentialOf(
  application: Application,
  contents: ReadonlyMap<string, ReferencedContent>,
): Credential | undefined {
  const { chart } = application.spec.helm ?? {};
  if (chart === undefined) return undefined;
  if (chart.secretRef === undefined) return chartCredentialsOf(application, contents)(chart.repoURL);
  const { namespace } = application.metadata;
  const { name } = chart.secretRef;
  const named = { namespace, name, field: secretFieldOf(application), what: 'the chart' };
  return credentialIn(named, repositoryUrl(chart.repoURL), contents);
}

/** What the repository of spec.helm.chart is asked with, and, as for dependencies, a registry to which the index of that leads. */
export function publishedCredentialsOf(
  application: Application,
  contents: ReadonlyMap<string, ReferencedContent>,
): CredentialFor {
  const elsewhere = chartCredentialsOf(application, contents);
  const { repoURL } = application.spec.helm?.chart ?? {};
  return (repository) =>
    repository === repoURL ? publishedCredentialOf(application, contents) : elsewhere(repository);
}

/** Where the spec names, or could name, the Secret that the repository of spec.helm.chart is asked with. */
export function secretFieldOf({ spec }: Pick<Application, 'spec'>): string {
  const { chart, registries = [] } = spec.helm ?? {};
  if (chart === undefined || chart.secretRef !== undefined) return 'spec.helm.chart.secretRef';
  const isNamed = longestPrefix(registries, chart.repoURL) !== undefined;
  return isNamed ? 'spec.helm.registries' : 'spec.helm.chart.secretRef';
}

interface NamedSecret {
  namespace: string;
  name: string;
  /** That names it, and for what. */
  field: string;
  what: string;
}

function credentialIn(
  { namespace, name, field, what }: NamedSecret,
  url: URL,
  contents: ReadonlyMap<string, ReferencedContent>,
): Credential {
  const secret = `Secret ${namespace}/${name}`;
  const content = contents.get(`Secret/${name}`);
  if (content === undefined)
    throw new TowpathError(
      'Resource',
      'SecretMissing',
      `${secret}, which ${field} names for ${what}, does not exist: create it; it is noticed at once.`,
    );
  const { host, port } = hostAndPort(url);
  const bound = content.hosts === undefined ? undefined : refusedBy(content.hosts, { host, port });
  if (bound !== undefined)
    throw new TowpathError(
      'Person',
      'HostNotListed',
      `${secret} may not be sent to ${printable(host, 100)}:${port}, from where a chart is fetched and for which ${field} names it: its annotation ${ANNOTATION_HOSTS} ${bound}. Add the host there if it may have the credential, or name another Secret.`,
    );
  const credential = namingSecret(secret, field, () =>
    registryCredential(Object.fromEntries(content.data), url.href),
  );
  return content.hosts === undefined ? credential : { ...credential, hosts: content.hosts };
}

function namingSecret<T>(secret: string, field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    const { remedy, reason, message } = error;
    const text = message.replace(/^The Git credential /, 'The credential ');
    throw new TowpathError(
      remedy,
      reason,
      `${text} It is in ${secret}, which ${field} names; correct it there, and it is noticed at once.`,
      { cause: error },
    );
  }
}

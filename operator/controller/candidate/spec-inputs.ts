/** What an Application's spec asks for, with the Secrets and ConfigMaps that it names. */

import { TowpathError } from '../../api/errors.ts';
import { type Application, type ApplicationSpec, valuesSourcesOf } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_HOSTS } from '../../api/v1alpha1/names.ts';
import { sha256 } from '../../manifest/digest.ts';
import { canonicalJson, parseExact } from '../../manifest/exact-json.ts';
import { refusedBy } from '../../source/bound-hosts.ts';
import { parseCredential } from '../../source/credential.ts';
import { parseRemoteUrl } from '../../source/remote-url.ts';
import type { Access } from '../../source/sources.ts';
import { pinnedRepository } from '../record/chart-pins.ts';
import type { GitRef, Overlay, ValuesSource } from '../record/target.ts';
import { registrySecretsOf } from './chart-credentials.ts';
import type { Reference, ReferencedContent } from './references.ts';

/** The values that are merged for a target, with the texts of what they come from. */
export interface ResolvedValues {
  readonly defaults: NamedText | undefined;
  readonly layers: readonly ResolvedLayer[];
}

export interface NamedText {
  readonly name: string;
  /** JSON. */
  readonly text: string;
}

export interface ResolvedLayer {
  readonly name: string;
  readonly valuesFiles: readonly string[];
  readonly valuesFrom: readonly ValuesFrom[];
  /** JSON. */
  readonly values?: string;
}

/**
 * Digest of all that the Application asks for with its spec and what that names. Nothing of a cluster is part of it:
 * one commit is the same candidate in each environment that reads the same of the repository, and what each makes of it
 * is by environment.
 */
export function requestDigest(
  { spec, metadata }: Application,
  path: string,
  { defaults, layers }: ResolvedValues,
): string {
  const { source, helm } = spec;
  // An environment that says nothing of its own has the candidate that none at all would have.
  const said = layers.filter((layer, index) => index === 0 || saysSomething(layer));
  const [first, ...others] = said.map(({ valuesFiles, valuesFrom, values }) => [
    [...valuesFiles],
    valuesFrom.map(({ name, text }) => [name, sha256(text)]),
    values === undefined ? null : parseExact(values),
  ]);
  return sha256(
    canonicalJson([
      source?.repoURL ?? null,
      path,
      helm?.releaseName ?? metadata.name,
      ...(first ?? []),
      ...(helm?.skipSchemaValidation === true ? ['skipSchemaValidation'] : []),
      ...(others.length === 0 ? [] : [{ environment: others }]),
      ...(defaults === undefined ? [] : [{ defaults: parseExact(defaults.text) }]),
      // Which version of it is found out as the commit is.
      ...(helm?.chart === undefined
        ? []
        : [{ chart: [pinnedRepository(helm.chart.repoURL), helm.chart.name] }]),
    ]),
  );
}

function saysSomething({ valuesFiles, valuesFrom, values }: ResolvedLayer): boolean {
  return valuesFiles.length > 0 || valuesFrom.length > 0 || values !== undefined;
}

const digests = new WeakMap<ReferencedContent, string>();

function digestOf(content: ReferencedContent): string {
  const known = digests.get(content);
  if (known !== undefined) return known;
  const texts = [...content.data].map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]);
  const digest = sha256(JSON.stringify(texts.sort()));
  digests.set(content, digest);
  return digest;
}

/** Digest of all that the Application asks for in whichever environment, before anything is rendered of it. */
export function askedFor(
  { metadata }: Application,
  revision: string,
  contents: ReadonlyMap<string, ReferencedContent>,
): string {
  const named = [...contents].map(([name, content]) => [name, digestOf(content)]);
  return sha256(JSON.stringify([revision, metadata.uid, metadata.generation, named.sort()]));
}

/** All that the Application follows: each of its environments may have a ref of its own. */
export function refsOf({ spec }: Application): GitRef[] {
  const own = (spec.environments ?? []).flatMap((entry) => entry.ref ?? []);
  return [spec.source?.ref ?? {}, ...own];
}

/** The Secrets and ConfigMaps that the spec names. */
export function referencesOf(application: Application): Reference[] {
  const { namespace } = application.metadata;
  const { source } = application.spec;
  const references: Reference[] = valuesSourcesOf(application).map(({ kind, name }) => ({
    kind,
    namespace,
    name,
  }));
  if (source?.secretRef !== undefined)
    references.push({ kind: 'Secret', namespace, name: source.secretRef.name });
  references.push(...registrySecretsOf(application));
  return references;
}

/** Of an Application that has one: nothing is followed in Git for the others. */
export function gitSourceOf({ spec }: Pick<Application, 'spec'>): NonNullable<ApplicationSpec['source']> {
  if (spec.source === undefined)
    throw new Error('an Application without a Git repository has none to follow');
  return spec.source;
}

/** Throws TowpathError where the credential is missing, wrong, or not for this host (S17). */
export function gitAccessOf(application: Application, contents: Map<string, ReferencedContent>): Access {
  const { repoURL, secretRef } = gitSourceOf(application);
  if (secretRef === undefined) return { url: repoURL };
  const content = contents.get(`Secret/${secretRef.name}`);
  if (content === undefined) throw missing('Secret', application, secretRef.name, 'spec.source.secretRef');
  const remote = parseRemoteUrl(repoURL);
  const bound = content.hosts === undefined ? undefined : refusedBy(content.hosts, remote);
  if (bound !== undefined) {
    throw new TowpathError(
      'Person',
      'HostNotListed',
      `Secret ${application.metadata.namespace}/${secretRef.name} may not be sent to ${remote.host}:${remote.port}, which spec.source.repoURL names: its annotation ${ANNOTATION_HOSTS} ${bound}. Add the host there if it may have the credential, or name another Secret.`,
    );
  }
  return { url: repoURL, credential: parseCredential(Object.fromEntries(content.data), remote.scheme) };
}

/** A credential that cannot be used is told with the Secret that it is in. */
export function namingSecret<T>({ metadata, spec }: Application, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const secretRef = spec.source?.secretRef;
    if (!(error instanceof TowpathError) || error.reason !== 'CredentialInvalid' || secretRef === undefined)
      throw error;
    const { remedy, reason, message } = error;
    const where = `It is in Secret ${metadata.namespace}/${secretRef.name}, which spec.source.secretRef names.`;
    throw new TowpathError(remedy, reason, `${message} ${where}`, { cause: error });
  }
}

const MISSING = { Secret: 'SecretMissing', ConfigMap: 'ConfigMapMissing' } as const;

/** The texts of Secrets that values come from, as far as they are there. */
export function secretTexts(application: Application, contents: Map<string, ReferencedContent>): string[] {
  return valuesSourcesOf(application).flatMap(({ kind, name, key }) => {
    const bytes = kind === 'Secret' ? contents.get(`Secret/${name}`)?.data.get(key) : undefined;
    return bytes === undefined ? [] : [Buffer.from(bytes).toString('utf8')];
  });
}

export interface ValuesFrom {
  name: string;
  text: string;
  secret: boolean;
}

/**
 * What is merged for a target: the texts of the sources, and the exact ones of values, by their fields. Throws
 * TowpathError for a source that is missing.
 */
export function resolvedValues(
  application: Application,
  { defaults, layers }: Overlay,
  exact: ReadonlyMap<string, string>,
  contents: Map<string, ReferencedContent>,
): ResolvedValues {
  const text = defaults && exact.get(defaults.field);
  return {
    defaults: defaults === undefined || text === undefined ? undefined : { name: defaults.field, text },
    layers: layers.map(({ field, valuesFiles, valuesFrom, values }) => {
      const exactly = values && exact.get(values.field);
      return {
        name: field,
        valuesFiles,
        valuesFrom: textsOf(application, field, valuesFrom, contents),
        ...(exactly === undefined ? {} : { values: exactly }),
      };
    }),
  };
}

/** Of each source the text, in their order. */
function textsOf(
  application: Application,
  field: string,
  sources: readonly ValuesSource[],
  contents: Map<string, ReferencedContent>,
): ValuesFrom[] {
  const found: ValuesFrom[] = [];
  for (const { kind, name, key, optional } of sources) {
    const bytes = contents.get(`${kind}/${name}`)?.data.get(key);
    if (bytes === undefined && optional) continue;
    if (!contents.has(`${kind}/${name}`)) throw missing(kind, application, name, `${field}.valuesFrom`);
    if (bytes === undefined) {
      throw new TowpathError(
        'Resource',
        MISSING[kind],
        `${kind} ${application.metadata.namespace}/${name} has no key ${key}, which ${field}.valuesFrom names: add it; it is noticed at once.`,
      );
    }
    found.push({
      name: `${kind} ${name} key ${key}`,
      text: Buffer.from(bytes).toString('utf8'),
      secret: kind === 'Secret',
    });
  }
  return found;
}

function missing(
  kind: 'Secret' | 'ConfigMap',
  application: Application,
  name: string,
  field: string,
): TowpathError {
  return new TowpathError(
    'Resource',
    MISSING[kind],
    `${kind} ${application.metadata.namespace}/${name}, which ${field} names, does not exist: create it; it is noticed at once.`,
  );
}

import { z } from 'zod';
import { TowpathError } from '../../api/errors.ts';
import { type Credential, parseCredential } from '../credential.ts';

/** Of a Secret of type kubernetes.io/dockerconfigjson. */
const DOCKER_CONFIG = '.dockerconfigjson';
const MOST_ENTRIES = 1_000;
/** Docker Hub, as docker login, people and the registry itself call it. */
const DOCKER_HUB = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const ALONGSIDE = ['ca.crt', 'tls.crt', 'tls.key'];

const dockerConfigSchema = z.object({
  auths: z.record(
    z.string(),
    z.object({
      username: z.string().optional(),
      password: z.string().optional(),
      auth: z.string().optional(),
    }),
  ),
});

/** Scheme, host and parts of the path; without a scheme it is meant for each. */
interface Place {
  scheme: string | undefined;
  parts: readonly string[];
}

/**
 * The entry whose prefix is the longest that the URL of a repository begins with: `ghcr.io/acme` for
 * `oci://ghcr.io/acme/charts`, and not for `oci://ghcr.io/acme2`. With a scheme it is for that one alone.
 */
export function longestPrefix<Entry extends { readonly prefix: string }>(
  entries: readonly Entry[],
  repository: string,
): Entry | undefined {
  const url = placeOf(repository);
  let longest: { entry: Entry; place: Place } | undefined;
  for (const entry of entries) {
    const place = placeOf(entry.prefix);
    if (!isBelow(url, place)) continue;
    const isLonger = place.parts.length > (longest?.place.parts.length ?? 0);
    const isNarrower =
      place.parts.length === longest?.place.parts.length &&
      place.scheme !== undefined &&
      longest.place.scheme === undefined;
    if (isLonger || isNarrower) longest = { entry, place };
  }
  return longest?.entry;
}

function isBelow(url: Place, { scheme, parts }: Place): boolean {
  if (scheme !== undefined && scheme !== url.scheme) return false;
  return parts[0] !== '' && parts.every((part, at) => part === url.parts[at]);
}

function placeOf(text: string): Place {
  const scheme = /^(https|oci):\/\//i.exec(text)?.[1]?.toLowerCase();
  const [host = '', ...path] = (scheme === undefined ? text : text.slice(scheme.length + 3)).split('/');
  while (path.at(-1) === '') path.pop();
  return { scheme, parts: [host.toLowerCase().replace(/\.?(:443)?$/, ''), ...path] };
}

/**
 * Reads the data of a Secret for a chart repository: keys as for Git over HTTPS, or what `kubectl create secret
 * docker-registry` makes.
 *
 * @throws TowpathError CredentialInvalid, naming keys, never values.
 */
export function registryCredential(data: Record<string, Uint8Array>, repository: string): Credential {
  const config = data[DOCKER_CONFIG];
  if (config === undefined) return parseCredential(data, 'https');
  const [username, password] = dockerPair(config, repository);
  const beside = Object.entries(data).filter(([key]) => ALONGSIDE.includes(key));
  return parseCredential(
    { ...Object.fromEntries(beside), username: Buffer.from(username), password: Buffer.from(password) },
    'https',
  );
}

function dockerPair(config: Uint8Array, repository: string): [username: string, password: string] {
  const { data } = dockerConfigSchema.safeParse(parsed(config));
  if (data === undefined) throw invalid('cannot be read: it is no JSON with a map "auths"');
  const names = Object.entries(data.auths);
  if (names.length > MOST_ENTRIES) throw invalid(`has more than ${MOST_ENTRIES} entries`);
  const entries = names.flatMap(([name, entry]) => registriesOf(name).map((prefix) => ({ prefix, entry })));
  const found = longestPrefix(entries, repository);
  if (found === undefined) throw invalid('has no entry for this registry');
  const { auth = '', username, password } = found.entry;
  if (username !== undefined && password !== undefined) return [username, password];
  const pair = Buffer.from(auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon <= 0 || colon === pair.length - 1)
    throw invalid('has an entry for this registry without a user name and password');
  return [pair.slice(0, colon), pair.slice(colon + 1)];
}

/** `https://index.docker.io/v1/`, `ghcr.io`, `quay.io/acme` */
function registriesOf(name: string): string[] {
  const bare = name.replace(/^https?:\/\//i, '').replace(/\/v[12]\/?$/, '');
  const slash = bare.indexOf('/');
  const [host, path] = slash < 0 ? [bare, ''] : [bare.slice(0, slash), bare.slice(slash)];
  return DOCKER_HUB.includes(host) ? DOCKER_HUB.map((each) => `${each}${path}`) : [bare];
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

function invalid(what: string): TowpathError {
  return new TowpathError('Person', 'CredentialInvalid', `The credential's key "${DOCKER_CONFIG}" ${what}.`);
}

import { z } from 'zod';
import { TowpathError } from '../../api/errors.ts';
import { ANNOTATION_HOSTS } from '../../api/v1alpha1/names.ts';
import { refusedBy } from '../bound-hosts.ts';
import type { Credential } from '../credential.ts';
import { printable } from '../text.ts';
import { type Challenge, challengesOf } from './challenges.ts';
import { fileUrl, hostAndPort } from './chart-url.ts';
import {
  asBeginning,
  type FileRequest,
  type FileResponse,
  type HttpsFiles,
  type TlsCredential,
} from './https-files.ts';
import type { OciReference } from './oci-reference.ts';

/** What a registry may be given: a name with a password, or a token; and certificates. */
export type RegistryCredential = Pick<Credential, 'username' | 'password' | 'bearerToken' | 'hosts'> &
  TlsCredential;

/** Bytes of an answer with a token; some registries' tokens list all that they allow. */
const TOKEN_BYTES = 64 * 1024;
const LONGEST_SCOPE = 1_024;
const MOST_SCOPES = 8;

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * What one chart of a registry is asked for, as who the registry wants to know: it says how when it refuses the first
 * request (distribution specification; Docker's token authentication).
 *
 * A credential goes to the registry itself, and to a realm of its own host or domain; nowhere else (S4).
 */
export class RegistrySession {
  readonly #https: HttpsFiles;
  readonly #reference: OciReference;
  readonly #credential: RegistryCredential | undefined;
  #authorization: string | undefined;

  constructor(https: HttpsFiles, reference: OciReference, credential?: RegistryCredential) {
    this.#https = https;
    this.#reference = reference;
    this.#credential = credential;
  }

  /** @throws TowpathError, as `HttpsFiles.get`. */
  async get(asked: Omit<FileRequest, 'authorization' | 'judges'>): Promise<FileResponse> {
    const send = (): Promise<FileResponse> =>
      this.#https.get({
        ...asked,
        authorization: this.#authorization,
        tls: this.#credential,
        trusts: 'Secret',
        judges: [401, 403],
      });
    let response = await send();
    // A token of before may have ended meanwhile.
    if (response.status === 401) {
      this.#authorization = await this.#authorize(response, asked);
      response = await send();
    }
    if (response.status === 401 || response.status === 403) throw this.#refused(asked.what, response.status);
    return response;
  }

  async #authorize(refusal: FileResponse, asked: Pick<FileRequest, 'what' | 'signal'>): Promise<string> {
    const challenges = challengesOf(refusal.header('www-authenticate'));
    const { username, password, bearerToken } = this.#credential ?? {};
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined && bearerToken !== undefined) return `Bearer ${bearerToken}`;
    if (bearer !== undefined) return `Bearer ${await this.#token(bearer, asked)}`;
    const isBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (isBasic && username !== undefined && password !== undefined) return basic(username, password);
    throw this.#refused(asked.what, refusal.status);
  }

  async #token({ parameters }: Challenge, { what, signal }: Pick<FileRequest, 'what' | 'signal'>) {
    const { host, name, origin } = this.#reference;
    const realm = fileUrl(
      parameters.get('realm') ?? '',
      undefined,
      `The token realm of the registry ${host}`,
    );
    const service = parameters.get('service');
    if (service !== undefined) realm.searchParams.set('service', service);
    const scopes = (parameters.get('scope') ?? `repository:${name}:pull`).slice(0, LONGEST_SCOPE).split(' ');
    for (const scope of scopes.slice(0, MOST_SCOPES)) realm.searchParams.append('scope', scope);
    const response = await this.#fromRealm(new URL(origin), {
      url: realm,
      what: `a token for ${what}`,
      authorization: this.#authorizationFor(realm),
      judges: [401, 403],
      maxBytes: TOKEN_BYTES,
      signal,
    });
    if (response.status !== 200) throw this.#refused(what, response.status);
    const answer = tokenSchema.safeParse(await jsonOf(response));
    const token = answer.data?.token ?? answer.data?.access_token ?? '';
    // What becomes a header.
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new TowpathError(
        'Time',
        'ServerError',
        `${printable(realm.host, 100)} answers without a token, which the registry ${host} wants for ${what}. It is tried again.`,
      );
    return token;
  }

  /**
   * Who may have its password is believed by its authorities, too, and not by them alone: it may be another host, with a
   * public certificate. Who we are is proved to the registry alone.
   */
  async #fromRealm(registry: URL, asked: FileRequest): Promise<FileResponse> {
    const { origin, hostname } = asked.url;
    if (origin === registry.origin)
      return this.#https.get({ ...asked, tls: this.#credential, trusts: 'Secret' });
    if (!isOfRegistry(hostname, registry.hostname)) return this.#https.get(asked);
    const { caCert } = this.#credential ?? {};
    try {
      return await this.#https.get({ ...asked, trusts: 'Secret' });
    } catch (error) {
      // Whoever has that certificate was sent nothing.
      if (caCert === undefined || !isUnverified(error)) throw error;
      return await this.#https
        .get({ ...asked, tls: { caCert }, trusts: 'Secret' })
        .catch((again: unknown) => {
          throw isUnverified(again) ? error : again;
        });
    }
  }

  #authorizationFor(realm: URL): string | undefined {
    const { username, password } = this.#credential ?? {};
    if (username === undefined || password === undefined) return undefined;
    const { origin, host } = this.#reference;
    if (isOfRegistry(realm.hostname, new URL(origin).hostname)) {
      if (realm.origin !== new URL(origin).origin) this.#refuseUnlisted(realm);
      return basic(username, password);
    }
    throw new TowpathError(
      'Person',
      'AuthenticationFailed',
      `The registry ${host} wants its credential sent to ${printable(realm.host, 100)}, which is neither its own host nor of its domain: nothing was sent. Use a registry whose tokens come from its own domain, or commit the chart to the folder charts.`,
    );
  }

  /** That it may be sent to the registry itself was found out before. */
  #refuseUnlisted(realm: URL): void {
    const { hosts } = this.#credential ?? {};
    const { host, port } = hostAndPort(realm);
    const bound = hosts === undefined ? undefined : refusedBy(hosts, { host, port });
    if (bound === undefined) return;
    throw new TowpathError(
      'Person',
      'HostNotListed',
      `The registry ${this.#reference.host} wants its credential sent to ${printable(host, 100)}:${port}, where its tokens are had: the annotation ${ANNOTATION_HOSTS} of the Secret that spec.helm.registries names ${bound}, and nothing was sent. Add the host there if it may have the credential, or name another Secret.`,
    );
  }

  #refused(what: string, status: number): TowpathError {
    const { host } = this.#reference;
    const why =
      this.#credential === undefined
        ? 'there is no such chart, or it wants a credential. Check the name in Chart.yaml, or name a Secret with a credential in spec.helm.registries.'
        : 'there is no such chart, or its credential may not read it. Check the name in Chart.yaml, and the Secret that spec.helm.registries names.';
    return new TowpathError(
      'Person',
      'AuthenticationFailed',
      `${asBeginning(what)} is refused by the registry ${host} (${status}): ${why}`,
    );
  }
}

function isUnverified(error: unknown): boolean {
  return error instanceof TowpathError && error.reason === 'CertificateUnknown';
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/**
 * Whether a realm is the registry's own: its host, on any port, or one of the same domain, as `auth.docker.io` for
 * `registry-1.docker.io` and `gitlab.com` for `registry.gitlab.com`. What remains of a host without its first part is
 * taken for its domain where that has two parts.
 */
export function isOfRegistry(realm: string, registry: string): boolean {
  if (realm === registry || realm.endsWith(`.${registry}`)) return true;
  // The parts of an address are no domains.
  if (registry.startsWith('[') || /^[0-9.]+$/.test(registry)) return false;
  const domain = registry.slice(registry.indexOf('.') + 1);
  return domain.includes('.') && (realm === domain || realm.endsWith(`.${domain}`));
}

/** What a body says; undefined where it is no JSON. */
export async function jsonOf({ body }: FileResponse): Promise<unknown> {
  return parsed(await bytesOf(body));
}

export async function bytesOf(body: FileResponse['body']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

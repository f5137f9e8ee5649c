import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { withoutEnding } from '../api/foreign-text.ts';
import type { Access, TlsOptions } from './credentials.ts';
import { KubeConfigText, type KubeConfigUser, USABLE_CREDENTIALS } from './kubeconfig-text.ts';

/** What the kubeconfig of another cluster says. */
export interface ClusterAccess {
  access: Access;
  /** The name of its current-context, which is the one that counts. */
  context: string;
  /** When the client certificate, or the token as far as it tells that, is valid no more. */
  expiresAt: Date | undefined;
  /** Since when it is valid, as far as it tells that. */
  issuedAt: Date | undefined;
  /** The same for all kubeconfigs that reach the same address in the same way as the same user. */
  digest: string;
}

/** With more a handshake holds the event loop for more than 50 ms. */
const MOST_RSA_BITS = 8_192;
const MOST_CERTIFICATES = 64;

/**
 * Reads a kubeconfig that others gave us, of a cluster that is not ours (S12): nothing in it makes this process read
 * a file, run a program or look at its environment, nor talk to a server whose certificate it does not check.
 *
 * @param where What the text stands in, at the beginning of a sentence: `The kubeconfig in the Secret towpath/eu`.
 * @throws TowpathError KubeConfigInvalid, naming fields, never values of credentials (S5).
 */
export function readKubeConfig(content: string, where: string): ClusterAccess {
  const reader = new Reader(where);
  const { context, cluster, clusterPlace, user, userPlace } = reader.read(content);
  const server = reader.server(cluster.server, clusterPlace);
  const proxyUrl = reader.proxy(cluster['proxy-url'], clusterPlace);
  const tls: TlsOptions = {};
  const authorities = reader.pem(cluster['certificate-authority-data'], clusterPlace, AUTHORITIES);
  if (authorities !== undefined) {
    reader.certificates(authorities, clusterPlace, AUTHORITIES);
    tls.ca = authorities;
  }
  const servername = reader.serverName(cluster['tls-server-name'], clusterPlace);
  if (servername !== undefined) tls.servername = servername;
  const { headers, validity, ...certificate } = reader.credentials(user, userPlace);
  Object.assign(tls, certificate);
  const access: Access = { server, proxyUrl, tls, headers };
  return { access, context, ...validity, digest: digestOf(access) };
}

const AUTHORITIES = 'certificate-authority-data';
const CERTIFICATE = 'client-certificate-data';
const KEY = 'client-key-data';

interface Proof extends Pick<TlsOptions, 'cert' | 'key'> {
  headers: string[];
  validity: Validity;
}

type Validity = Pick<ClusterAccess, 'expiresAt' | 'issuedAt'>;

/** What the parts of a kubeconfig mean. */
class Reader extends KubeConfigText {
  /** Without a trailing slash. */
  server(written: string, place: string): string {
    const url = URL.parse(written);
    const instead = 'write it as https://host:port';
    if (url === null || url.hostname === '')
      throw this.invalid(`\`server\` of its ${place} is no URL`, instead);
    if (url.protocol !== 'https:')
      throw this.invalid(
        `\`server\` of its ${place} does not begin with https://, so that whoever listens in could read credentials and Secrets`,
        instead,
      );
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
      throw this.invalid(`\`server\` of its ${place} has a user, a query or a fragment`, instead);
    return withoutEnding(url.href, '/');
  }

  proxy(written: string | undefined, place: string): string | undefined {
    if (written === undefined) return undefined;
    const url = URL.parse(written);
    if (url !== null && isDecodable(url.username) && isDecodable(url.password))
      if (/^https?:$/.test(url.protocol) && url.hostname !== '') return written;
    throw this.invalid(
      `\`proxy-url\` of its ${place} is no URL of an HTTP or HTTPS proxy`,
      'write it as http://host:port; SOCKS is not spoken',
    );
  }

  serverName(written: string | undefined, place: string): string | undefined {
    if (written === undefined || /^[A-Za-z0-9._-]{1,253}$/.test(written)) return written;
    throw this.invalid(
      `\`tls-server-name\` of its ${place} is no name of a host`,
      "write the name that is in the server's certificate",
    );
  }

  credentials(user: KubeConfigUser, place: string): Proof {
    const { token } = user;
    const cert = this.pem(user[CERTIFICATE], place, CERTIFICATE);
    const key = this.pem(user[KEY], place, KEY);
    if (token !== undefined && (cert !== undefined || key !== undefined))
      throw this.invalid(
        `its ${place} has both a token and a client certificate, and which of the two counts would be a guess`,
        'keep one of the two',
      );
    if (token !== undefined) return this.#token(token, place);
    if (cert === undefined && key === undefined)
      throw this.invalid(`its ${place} has no credentials`, USABLE_CREDENTIALS);
    if (cert === undefined || key === undefined) {
      const [has, lacks] = cert === undefined ? [KEY, CERTIFICATE] : [CERTIFICATE, KEY];
      throw this.invalid(`its ${place} has \`${has}\` without \`${lacks}\``, 'give both');
    }
    return this.#clientCertificate(cert, key, place);
  }

  #token(written: string, place: string): Proof {
    const token = written.trim();
    if (!/^[\x21-\x7e]+$/.test(token))
      throw this.invalid(
        `\`token\` of its ${place} has a space, a line break or another character that no token has`,
        'store it as `kubectl create token` prints it',
      );
    return { headers: ['Authorization', `Bearer ${token}`], validity: validityOfToken(token) };
  }

  #clientCertificate(cert: string, key: string, place: string): Proof {
    const [leaf] = this.certificates(cert, place, CERTIFICATE);
    let parsed: KeyObject;
    try {
      parsed = createPrivateKey(key);
    } catch {
      throw this.invalid(
        `\`${KEY}\` of its ${place} holds no private key in PEM form, or one with a passphrase`,
        'store the key without a passphrase, in base64',
      );
    }
    if ((parsed.asymmetricKeyDetails?.modulusLength ?? 0) > MOST_RSA_BITS)
      throw this.invalid(
        `\`${KEY}\` of its ${place} is an RSA key of more than ${MOST_RSA_BITS} bits`,
        'use a smaller one, or an ECDSA key',
      );
    if (leaf?.checkPrivateKey(parsed) !== true)
      throw this.invalid(
        `\`${KEY}\` of its ${place} does not belong to the certificate in \`${CERTIFICATE}\``,
        'store the two that belong together',
      );
    const validity = { expiresAt: validDate(leaf.validToDate), issuedAt: validDate(leaf.validFromDate) };
    return { cert, key, headers: [], validity };
  }

  /** The text that a field holds in base64. */
  pem(written: string | undefined, place: string, field: string): string | undefined {
    if (written === undefined) return undefined;
    const base64 = written.replaceAll(/\s/g, '');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
      throw this.invalid(`\`${field}\` of its ${place} is not in base64`, 'encode it with `base64`');
    return Buffer.from(base64, 'base64').toString('latin1');
  }

  certificates(pem: string, place: string, field: string): X509Certificate[] {
    const blocks = pem.split(BEGIN).slice(1);
    const found = blocks.slice(0, MOST_CERTIFICATES + 1).map((block) => certificateOf(block));
    if (found.length > MOST_CERTIFICATES)
      throw this.invalid(
        `\`${field}\` of its ${place} holds more than ${MOST_CERTIFICATES} certificates`,
        'keep those that are needed',
      );
    const certificates = found.filter((certificate) => certificate !== undefined);
    if (certificates.length > 0 && certificates.length === found.length) return certificates;
    throw this.invalid(
      `\`${field}\` of its ${place} holds no certificate in PEM form, or one that cannot be read`,
      'store certificates in PEM form, in base64',
    );
  }
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

function certificateOf(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(`${BEGIN}${block.slice(0, Math.max(0, block.indexOf(END)))}${END}\n`);
  } catch {
    return undefined;
  }
}

/** What a token that is a JWT says of its time. Nothing is believed of it but that: the API server checks it. */
function validityOfToken(token: string): Validity {
  const unknown = { expiresAt: undefined, issuedAt: undefined };
  const [, payload, signature, ...more] = token.split('.', 4);
  if (payload === undefined || signature === undefined || more.length > 0) return unknown;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const { success, data } = claimsSchema.safeParse(claims);
    return success ? { expiresAt: secondsAsDate(data.exp), issuedAt: secondsAsDate(data.iat) } : unknown;
  } catch {
    return unknown;
  }
}

const claimsSchema = z.object({ exp: z.number().optional(), iat: z.number().optional().catch(undefined) });

function secondsAsDate(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : validDate(new Date(seconds * 1_000));
}

function validDate(date: Date): Date | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function digestOf({ server, proxyUrl, tls, headers }: Access): string {
  const parts = [server, proxyUrl, tls.ca, tls.cert, tls.key, tls.servername, headers];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** What goes to the proxy is the user and the password that these stand for. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

import { TowpathError } from '../../api/errors.ts';
import { networkError } from '../transport/network-error.ts';
import { PROXY, proxyRefusal } from '../transport/proxy-refusal.ts';

/** What happened to a chart repository, as the middle of a sentence, and what to do about it. */
const SENTENCES: Readonly<Record<string, readonly [what: string, next: string]>> = {
  HostUnknown: ['is unknown to DNS', 'Check its name in Chart.yaml; it is tried again.'],
  ConnectionRefused: [
    'refuses the connection or cannot be reached',
    'Check that it is up and that a firewall or NetworkPolicy lets Towpath reach it; it is tried again.',
  ],
  Timeout: [
    'did not answer in time',
    'It is tried again; check that it is up and that a firewall or NetworkPolicy lets Towpath reach it.',
  ],
  CertificateUnknown: [
    'has a certificate that cannot be verified',
    'If its authority is a private one, have who runs Towpath trust it (--ca-file).',
  ],
  CredentialInvalid: [
    'cannot be asked with the certificate or private key of its credential',
    'Check the keys "ca.crt", "tls.crt" and "tls.key" of the Secret that spec.helm.registries names for it.',
  ],
  TLSFailed: ['makes no TLS connection', 'Check that the port speaks HTTPS, with ECDHE before TLS 1.3.'],
  ConnectionLost: ['ended the conversation before its answer', 'It is tried again.'],
};

/** Where the authority of a certificate may stand in a Secret, too. */
const AUTHORITY_IN_SECRET =
  'If its authority is a private one, put that into "ca.crt" of the Secret that spec.helm.registries names for it, or have who runs Towpath trust it (--ca-file).';

const AUTHORITY_IN_SECRET_ALONE =
  'If its authority is a private one, put that into "ca.crt" of the Secret that spec.helm.registries names for it: what stands there counts alone.';

export interface Fetched {
  /** With its port. */
  host: string;
  way: 'Direct' | 'Proxied';
  /** Whether the authorities in a Secret count there; or those alone, since there are some. */
  trusts?: 'Secret' | 'SecretAlone' | undefined;
}

/** Turns what sockets, TLS, undici and a proxy throw into an error that a user understands. */
export function fetchError(error: unknown, { host, way, trusts }: Fetched): TowpathError {
  const refused = proxyRefusal(error, host);
  if (refused !== undefined) {
    const message = refused.message.replace(/^The Git server /, 'The chart repository at ');
    return new TowpathError(refused.remedy, refused.reason, message, { cause: error });
  }
  const found = networkError(error, host);
  const [what, advice] = SENTENCES[found.reason] ?? [];
  const ofSecret = trusts === 'SecretAlone' ? AUTHORITY_IN_SECRET_ALONE : AUTHORITY_IN_SECRET;
  const isOfSecret = found.reason === 'CertificateUnknown' && trusts !== undefined;
  const next = isOfSecret ? ofSecret : advice;
  // An error of our own.
  if (what === undefined) return found;
  const through = way === 'Proxied' ? ` It is asked through ${PROXY}.` : '';
  const message = `The chart repository at ${host} ${what}. ${next}${through}`;
  return new TowpathError(found.remedy, found.reason, message, { cause: error });
}

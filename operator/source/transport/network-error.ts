import { TowpathError } from '../../api/errors.ts';

const certificateCodes = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Turns what sockets, TLS and undici throw into an error that a user understands. `host` has its port. */
export function networkError(error: unknown, host: string): TowpathError {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = inner(cause), depth++) {
    if (cause instanceof TowpathError) return cause;
    // A DOMException, which an aborted signal gives, has a number there.
    const { code } = cause as { code?: unknown };
    const failure = byCode(typeof code === 'string' ? code : '', host, cause);
    if (failure) return failure;
    if (cause.name === 'TimeoutError') return timeout(host, cause);
  }
  const text = error instanceof Error ? error.message : String(error);
  return new TowpathError(
    'Time',
    'ConnectionLost',
    `The conversation with the Git server ${host} failed (${text.slice(0, 120)}). It is tried again.`,
    { cause: error },
  );
}

export function timeout(host: string, cause?: unknown): TowpathError {
  return new TowpathError(
    'Time',
    'Timeout',
    `The Git server ${host} did not answer in time. It is tried again; check that it is up and that a firewall or NetworkPolicy lets Towpath reach it.`,
    { cause },
  );
}

/** An AggregateError (one attempt for each address of a name) counts as its first error. */
function inner(error: Error): unknown {
  return error instanceof AggregateError ? error.errors[0] : error.cause;
}

function byCode(code: string, host: string, cause: unknown): TowpathError | undefined {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') {
    return new TowpathError(
      'Time',
      'HostUnknown',
      `The host ${host} of the repository is unknown to DNS. Check its name in spec.source.repoURL; it is tried again.`,
      { cause },
    );
  }
  if (code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return new TowpathError(
      'Time',
      'ConnectionRefused',
      `The Git server ${host} refuses the connection or cannot be reached. Check host and port, and that the server is up; it is tried again.`,
      { cause },
    );
  }
  if (timeoutCodes.has(code)) return timeout(host, cause);
  if (certificateCodes.has(code)) {
    return new TowpathError(
      'Person',
      'CertificateUnknown',
      `The certificate of the Git server ${host} cannot be verified (${code}). If its authority is a private one, put that into "ca.crt" of the Secret in spec.source.secretRef, or have it trusted for all (--ca-file).`,
      { cause },
    );
  }
  if (code.startsWith('ERR_OSSL_')) {
    return new TowpathError(
      'Person',
      'CredentialInvalid',
      `The Git credential has a certificate or private key that cannot be used for ${host} (${code}). Check the keys "ca.crt", "tls.crt" and "tls.key" of the Secret that spec.source.secretRef names.`,
      { cause },
    );
  }
  if (/^ERR_(SSL|TLS)|^EPROTO$/.test(code)) {
    return new TowpathError(
      'Person',
      'TLSFailed',
      `No TLS connection with the Git server ${host} comes about (${code}). Check that the port speaks HTTPS, with ECDHE before TLS 1.3, and whether the server wants a client certificate (keys "tls.crt" and "tls.key").`,
      { cause },
    );
  }
  return undefined;
}

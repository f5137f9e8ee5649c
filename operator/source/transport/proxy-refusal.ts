import { TowpathError } from '../../api/errors.ts';

export const PROXY = "the proxy of the operator's environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)";

/** How undici words what a proxy answered instead of opening a tunnel, or of passing a request on. */
const ANSWERED = /^Proxy response \((\d{3})\)|^Proxy Authentication Required \((407)\)/;

/** What the proxy itself answered, and not the Git server behind it; undefined where it is none of that. */
export function proxyRefusal(error: unknown, host: string): TowpathError | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    const [, tunnel, plain] = ANSWERED.exec(cause.message) ?? [];
    const status = Number(tunnel ?? plain);
    if (!Number.isNaN(status)) return refusal(status, host, error);
  }
  return undefined;
}

function refusal(status: number, host: string, cause: unknown): TowpathError {
  const person = (what: string) =>
    new TowpathError(
      'Person',
      'ProxyRefused',
      `The Git server ${host} is not reached: ${PROXY} answers ${status}${what}`,
      { cause },
    );
  if (status === 407)
    return person(
      ': it lets in nobody without a user and a password, or refuses those that it was given. Ask who runs Towpath to write them into the variable: http://user:password@host:port.',
    );
  if (status === 403)
    return person(
      ': it does not let Towpath go there. Ask who runs the proxy to allow this host and port, or who runs Towpath to list it in NO_PROXY.',
    );
  if (status < 500)
    return person(
      '. Ask who runs the proxy why it does not open a tunnel to this host and port, or who runs Towpath to list it in NO_PROXY.',
    );
  return new TowpathError(
    'Time',
    'ConnectionRefused',
    `The Git server ${host} is not reached: ${PROXY} answers ${status}, so it cannot reach it either, or has too much to do. It is tried again.`,
    { cause },
  );
}

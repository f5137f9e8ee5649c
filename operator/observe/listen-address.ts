/** Where a server listens. */
export interface ListenAddress {
  /** Undefined: on every address of the machine, of IPv6 and IPv4 as far as it has them. */
  host: string | undefined;
  /** 0: any free port. */
  port: number;
}

const FORM = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([^:[\]]{0,253})):(\d{1,5})$/;

/** Reads `host:port`, `[IPv6]:port` or `:port`; undefined where it is none of these. */
export function listenAddress(text: string): ListenAddress | undefined {
  const [, ipv6, name, port = ''] = FORM.exec(text) ?? [];
  if (Number(port) > 65_535 || port === '') return undefined;
  const host = ipv6 ?? name;
  return { host: host === '' ? undefined : host, port: Number(port) };
}

import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { TowpathError } from '../../api/errors.ts';
import { unlessAborted } from '../../kube/unless-aborted.ts';

/** Which of the addresses that are refused by default (S11) may be connected to. */
export interface AddressRules {
  /** 127.0.0.0/8 and ::1: a Git server on the machine itself. */
  allowLoopback?: boolean;
  /** `METADATA_SUBNETS`: link-local addresses and the metadata services of clouds. */
  allowLinkLocal?: boolean;
  /** How names become addresses; default: the system's. */
  lookup?: typeof systemLookup;
}

function blockList(...subnets: string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = '', bits = '0'] = subnet.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

const loopback = blockList('127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128');
/**
 * Where clouds serve credentials: link-local addresses, and the metadata services that have others: Alibaba Cloud,
 * Azure's wire server, Oracle's classic one; over IPv6 AWS, whose EKS has a second one for the identities of Pods,
 * Google Cloud, Oracle Cloud, Scaleway, Akamai (Linode) and Alibaba Cloud. The chart's NetworkPolicy leaves out the same.
 */
export const METADATA_SUBNETS = {
  ipv4: ['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
  ipv6: [
    'fe80::/10',
    'fd00:ec2::254/128',
    'fd00:ec2::23/128',
    'fd20:ce::254/128',
    'fd00:c1::a9fe:a9fe/128',
    'fd00:42::42/128',
    'fd00:a9fe:a9fe::1/128',
    'fd00:100::100:200/128',
  ],
} as const;
const linkLocal = blockList(...METADATA_SUBNETS.ipv4, ...METADATA_SUBNETS.ipv6);
const nobody = blockList('224.0.0.0/4', '240.0.0.0/4', 'ff00::/8');

/**
 * Refuses an address that no Git server of another machine has.
 *
 * @throws TowpathError AddressRefused.
 */
function checkAddress(address: string, host: string, rules: AddressRules): void {
  const plain = embeddedIPv4(address) ?? address;
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  const kind =
    loopback.check(plain, family) && !rules.allowLoopback
      ? 'a loopback'
      : linkLocal.check(plain, family) && !rules.allowLinkLocal
        ? 'a link-local or metadata'
        : nobody.check(plain, family)
          ? 'a multicast or reserved'
          : undefined;
  if (kind === undefined) return;
  const where = host === address ? address : `${host} (${address})`;
  throw new TowpathError(
    'Person',
    'AddressRefused',
    `${where} is ${kind} address, which repositories may not have. Use the server's own address, or ask who runs Towpath to allow it.`,
  );
}

/** Refuses a host that is written as such an address; names are checked when they have been looked up. */
export function checkHost(host: string, rules: AddressRules): void {
  if (isIP(host) !== 0) checkAddress(host, host, rules);
}

/** A lookup for sockets that fails when any of a name's addresses is refused (so rebinding gains nothing). */
export function checkedLookup(rules: AddressRules): LookupFunction {
  const lookup = rules.lookup ?? systemLookup;
  return (host, options, callback) => {
    lookup(host, { ...options, all: true } as LookupOptions & { all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      try {
        for (const { address } of addresses) checkAddress(address, host, rules);
      } catch (refused) {
        return callback(refused as Error, '', 0);
      }
      if (options.all) return callback(null, addresses as LookupAddress[]);
      const first = addresses[0];
      if (!first) return callback(new Error(`${host} has no address`), '', 0);
      callback(null, first.address, first.family);
    });
  };
}

/** Our own DNS has so long to know a name that a proxy will look up. Milliseconds. */
const OWN_DNS_MS = 2_000;

/**
 * The same for a name that a proxy will look up. What our own DNS does not know, the proxy's may: that is for the
 * proxy to refuse, and so is a name that has other addresses there. Where nothing leads out but the proxy, our DNS may
 * never answer, which is as if it knew nothing; the signal ends the wait, too.
 */
export async function checkName(host: string, rules: AddressRules, signal: AbortSignal): Promise<void> {
  const checked = new Promise<void>((resolve, reject) => {
    checkedLookup(rules)(host, { all: true }, (error) =>
      error instanceof TowpathError ? reject(error) : resolve(),
    );
  });
  const silent = AbortSignal.timeout(OWN_DNS_MS);
  try {
    await unlessAborted(checked, AbortSignal.any([signal, silent]));
  } catch (error) {
    if (error !== silent.reason) throw error;
  }
}

/** The IPv4 address in an IPv4-mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) or 6to4 (2002::/16) one. */
function embeddedIPv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const groups = expand(address);
  const [a = 0, b = 0] = groups;
  const tail = (high = 0, low = 0) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  if (a === 0x2002) return tail(groups[1], groups[2]);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const translated = a === 0x64 && b === 0xff9b && groups.slice(2, 6).every((group) => group === 0);
  return mapped || translated ? tail(groups[6], groups[7]) : undefined;
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const text = (address.split('%')[0] ?? '').replace(
    /(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/,
    (_, a, b, c, d) =>
      [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)]
        .map((group) => group.toString(16))
        .join(':'),
  );
  const [head = '', tail] = text.split('::');
  const parse = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  if (tail === undefined) return left;
  const right = parse(tail);
  return [...left, ...new Array(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}

import { TowpathError } from '../api/errors.ts';
import type { AddressRules } from './address.ts';
import type { Credential } from './credential.ts';
import type { Packet } from './pkt-line.ts';
import type { RemoteUrl } from './remote-url.ts';
import type { Timeouts, Transport } from './transport.ts';

export interface SshOptions extends AddressRules {
  timeouts: Timeouts;
}

export class SshTransport implements Transport {
  readonly host: string;

  constructor(remote: RemoteUrl, _credential: Credential | undefined, _options: SshOptions) {
    this.host = `${remote.host}:${remote.port}`;
    throw new TowpathError('Person', 'ProtocolUnsupported', 'SSH comes next.');
  }

  // biome-ignore lint/correctness/useYield: replaced next
  async *advertise(): AsyncGenerator<Packet> {
    throw new Error('SSH comes next');
  }

  // biome-ignore lint/correctness/useYield: replaced next
  async *uploadPack(): AsyncGenerator<Packet> {
    throw new Error('SSH comes next');
  }

  async close(): Promise<void> {}
}

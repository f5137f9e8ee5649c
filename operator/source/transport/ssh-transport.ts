import { connect, type Socket } from 'node:net';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { TowpathError } from '../../api/errors.ts';
import type { Credential } from '../credential.ts';
import type { RemoteUrl } from '../remote-url.ts';
import { advertisementTooLarge, maxAdvertisementBytes, RemoteRefusal } from '../wire/advertisement.ts';
import { flush, type Packet, readPackets } from '../wire/pkt-line.ts';
import type { Timeouts, Transport } from '../wire/transport.ts';
import type { RunWork } from '../work.ts';
import { type AddressRules, checkedLookup, checkHost } from './address.ts';
import { type ExpectedHostKeys, expectedHostKeys, fingerprint } from './known-hosts.ts';
import { networkError, timeout } from './network-error.ts';
import { algorithmsFor, KEY_EXCHANGES } from './ssh-algorithms.ts';
import { unreadableKey } from './ssh-key.ts';
import { SshLink } from './ssh-link.ts';
import { SshSigner } from './ssh-signer.ts';

export interface SshOptions extends AddressRules {
  timeouts: Timeouts;
  /** Where keys are read: beside the event loop. */
  run: RunWork;
}

const maxStderr = 2_000;

interface Opened {
  channel: ClientChannel;
  link: SshLink;
}

/** Git over SSH: `git-upload-pack '<path>'` in a channel of its own for each conversation. */
export class SshTransport implements Transport {
  readonly host: string;
  readonly #remote: RemoteUrl;
  readonly #options: SshOptions;
  readonly #user: string;
  readonly #identity: string;
  readonly #passphrase: string | undefined;
  readonly #hostKeys: ExpectedHostKeys;
  #signer: SshSigner | undefined;
  #link: SshLink | undefined;

  constructor(remote: RemoteUrl, credential: Credential | undefined, options: SshOptions) {
    this.host = `${remote.host}:${remote.port}`;
    this.#remote = remote;
    this.#options = options;
    checkHost(remote.host, options);
    const { identity, identityPassword, knownHosts, username } = credential ?? {};
    if (identity === undefined || knownHosts === undefined) {
      throw new TowpathError(
        'Person',
        'AuthenticationFailed',
        `The repository ${remote.text} is reached over SSH, which needs a key. Name a Secret with the keys "identity" and "known_hosts" in spec.source.secretRef.`,
      );
    }
    this.#identity = identity;
    this.#passphrase = identityPassword;
    this.#user = remote.user ?? username ?? 'git';
    this.#hostKeys = expectedHostKeys(knownHosts, remote.host, remote.port);
    if (this.#hostKeys.types.size === 0) {
      throw new TowpathError(
        'Person',
        'HostKeyUnknown',
        `The Secret's key "known_hosts" has no key for the Git server ${this.host}, so it cannot be told from an impostor. Add the server's public key to it (ssh-keyscan shows it; compare it with what the server's owner publishes).`,
      );
    }
  }

  async *advertise(signal: AbortSignal): AsyncGenerator<Packet> {
    const opened = await this.#open(signal);
    const { channel } = opened;
    for await (const packet of this.#packets(opened, signal)) {
      // With a flush an upload-pack learns that nothing is wanted, and ends.
      if (packet === undefined) channel.end(flush);
      yield packet;
      if (packet === undefined) return;
    }
  }

  async *uploadPack(request: Buffer, signal: AbortSignal): AsyncGenerator<Packet> {
    const opened = await this.#open(signal);
    const { channel } = opened;
    let advertised = false;
    let bytes = 0;
    for await (const packet of this.#packets(opened, signal)) {
      if (advertised) {
        yield packet;
        continue;
      }
      // The refs come once more, and are not looked at.
      bytes += packet?.length ?? 0;
      if (bytes > maxAdvertisementBytes) throw advertisementTooLarge();
      if (packet === undefined) {
        advertised = true;
        channel.end(request);
      } else if (packet.toString('latin1', 0, 4) === 'ERR ')
        throw new RemoteRefusal(packet.toString('utf8', 4));
    }
  }

  close(): Promise<void> {
    this.#link?.end();
    this.#link = undefined;
    return Promise.resolve();
  }

  async *#packets({ channel, link }: Opened, signal: AbortSignal): AsyncGenerator<Packet> {
    let stderr = '';
    channel.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < maxStderr) stderr += chunk.toString('utf8');
    });
    // Ending a channel does not end the wait for a server that is silent, so both are raced.
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const abort = () => failed.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const idle = setTimeout(() => failed.reject(timeout(this.host)), this.#options.timeouts.idleMs);
    channel.on('data', () => idle.refresh());
    try {
      let any = false;
      for await (const packet of readPackets(chunksUntil(channel, failed.promise))) {
        any = true;
        yield packet;
      }
      if (!any) throw new RemoteRefusal(stderr.trim() || 'it ended without an answer');
    } catch (error) {
      if (error instanceof RemoteRefusal) throw error;
      link.retire();
      throw networkError(error, this.host);
    } finally {
      clearTimeout(idle);
      signal.removeEventListener('abort', abort);
      channel.on('error', () => undefined);
      channel.close();
      link.leave();
    }
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted();
    const link = this.#usableLink();
    const { isConnected: isKept } = link;
    try {
      return await this.#openOn(link, signal);
    } catch (error) {
      // What was kept from the last time may have ended without our knowing.
      if (!isKept || signal.aborted) throw error;
      return this.#openOn(this.#usableLink(), signal);
    }
  }

  async #openOn(link: SshLink, signal: AbortSignal): Promise<Opened> {
    const command = `git-upload-pack '${this.#remote.path.replaceAll("'", "'\\''")}'`;
    return { link, channel: await link.open(command, signal) };
  }

  #usableLink(): SshLink {
    if (this.#link?.isUsable === true) return this.#link;
    const { connectMs } = this.#options.timeouts;
    const connect = (signal: AbortSignal) => this.#connect(signal);
    this.#link = new SshLink({ host: this.host, connect, connectMs });
    return this.#link;
  }

  async #connect(signal: AbortSignal): Promise<Client> {
    this.#signer ??= await this.#newSigner(signal);
    const agent = this.#signer;
    const socket = await this.#socket(signal);
    const client = new ssh2.Client();
    let verdict: TowpathError | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        if (signal.aborted) return reject(signal.reason);
        client.on('ready', resolve);
        client.on('error', reject);
        client.on('close', () => reject(new Error('the server closed the connection')));
        client.connect({
          sock: socket,
          username: this.#user,
          agent,
          readyTimeout: this.#options.timeouts.connectMs,
          keepaliveInterval: 10_000,
          algorithms: algorithmsFor(this.#hostKeys.types),
          hostVerifier: (key: Buffer) => {
            if (this.#hostKeys.accepts(key)) return true;
            verdict = this.#mismatch(`presents the key ${fingerprint(key)}`);
            return false;
          },
        });
      });
      return client;
    } catch (error) {
      client.on('error', () => undefined);
      client.destroy();
      socket.destroy();
      throw verdict ?? this.#connectError(error);
    }
  }

  async #newSigner(signal: AbortSignal): Promise<SshSigner> {
    const { run } = this.#options;
    const input = { identity: this.#identity, passphrase: this.#passphrase };
    try {
      return new SshSigner(await run('readKey', input, signal));
    } catch (error) {
      throw error instanceof TowpathError && error.reason === 'WorkFailed' ? unreadableKey(error) : error;
    }
  }

  #socket(signal: AbortSignal): Promise<Socket> {
    const { host, port } = this.#remote;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup: checkedLookup(this.#options) });
      const fail = (error: unknown) => {
        settle();
        socket.destroy();
        reject(networkError(error, this.host));
      };
      const abort = () => fail(signal.reason);
      const late = setTimeout(() => fail(timeout(this.host)), this.#options.timeouts.connectMs);
      // The signal outlives this, and the socket may outlive the signal.
      const settle = () => {
        clearTimeout(late);
        signal.removeEventListener('abort', abort);
      };
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      socket.once('error', fail);
      socket.once('connect', () => {
        settle();
        socket.off('error', fail);
        resolve(socket.setNoDelay());
      });
    });
  }

  #connectError(error: unknown): TowpathError {
    if (error instanceof TowpathError) return error;
    const { level, message } = error as Error & { level?: string };
    if (level === 'client-authentication' || level === 'agent') {
      return new TowpathError(
        'Person',
        'AuthenticationFailed',
        `The Git server ${this.host} does not accept the SSH key for the user ${this.#user}. Check that the public key of the Secret's "identity" is registered there.`,
        { cause: error },
      );
    }
    if (level === 'client-timeout') return timeout(this.host, error);
    if (/no matching host key/i.test(message)) {
      return this.#mismatch(
        `has no key of the types that are known (${[...this.#hostKeys.types].join(', ')})`,
      );
    }
    const [, missing] = /no matching (.{1,60})/.exec(message) ?? [];
    if (missing !== undefined) {
      return new TowpathError(
        'Person',
        'ProtocolUnsupported',
        missing.startsWith('key exchange')
          ? `The Git server ${this.host} offers none of the key exchanges that are taken: ${KEY_EXCHANGES.join(', ')}. Add one to its KexAlgorithms.`
          : `The Git server ${this.host} and Towpath have no ${missing} in common. Let the server offer what OpenSSH offers by default.`,
        { cause: error },
      );
    }
    return networkError(error, this.host);
  }

  #mismatch(what: string): TowpathError {
    return new TowpathError(
      'Person',
      'HostKeyMismatch',
      `The Git server ${this.host} ${what}, which is not in the Secret's "known_hosts". Either the server has a new key (then put it there, after comparing it with what its owner publishes), or someone poses as it.`,
    );
  }
}

/** What a stream gives, until it ends or the promise rejects. */
async function* chunksUntil(stream: AsyncIterable<Buffer>, failed: Promise<never>): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const { value, done } = await Promise.race([chunks.next(), failed]);
    if (done) return;
    yield value;
  }
}

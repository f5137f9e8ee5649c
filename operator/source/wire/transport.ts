import type { Packet } from './pkt-line.ts';

/** Limits on one conversation with a server, in milliseconds. */
export interface Timeouts {
  /** Until a connection stands, with TLS or SSH's handshake. */
  connectMs: number;
  /** Without a byte from the server. */
  idleMs: number;
  /** For a list of refs, from beginning to end. */
  advertiseMs: number;
  /** For a fetch, from beginning to end. */
  fetchMs: number;
}

/**
 * A way to speak to the upload-pack of one repository. Errors are TowpathErrors, or RemoteRefusal where the
 * server said something in Git's protocol.
 */
export interface Transport {
  /** `git.example.com:443`, for messages. */
  readonly host: string;
  /** The reference advertisement, ended by its flush packet. */
  advertise(signal: AbortSignal): AsyncGenerator<Packet>;
  /** Sends one complete request (wants, shallows, haves, done) and gives the answer. */
  uploadPack(request: Buffer, signal: AbortSignal): AsyncGenerator<Packet>;
  close(): Promise<void>;
}

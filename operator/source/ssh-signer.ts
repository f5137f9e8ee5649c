import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import ssh2, { type IdentityCallback, type SignCallback, type SigningRequestOptions } from 'ssh2';
import type { SshKey } from './ssh-key.ts';

/** What is signed with, where the server has no say in it (RFC 8332, RFC 5656, RFC 8709). */
const HASHES = new Map([
  ['ssh-rsa', 'sha1'],
  ['ssh-dss', 'sha1'],
  ['ecdsa-sha2-nistp256', 'sha256'],
  ['ecdsa-sha2-nistp384', 'sha384'],
  ['ecdsa-sha2-nistp521', 'sha512'],
]);

/** Proves to a server that we have a key, beside the event loop: large RSA keys take long to sign with. */
export class SshSigner extends ssh2.BaseAgent<Buffer> {
  readonly #publicKey: Buffer;
  readonly #privateKey: KeyObject;
  readonly #hash: string | undefined;

  constructor({ type, publicKey, privateKey }: SshKey) {
    super();
    this.#publicKey = Buffer.from(publicKey);
    this.#privateKey = createPrivateKey(privateKey);
    this.#hash = HASHES.get(type);
  }

  override getIdentities(callback: IdentityCallback<Buffer>): void {
    callback(undefined, [this.#publicKey]);
  }

  override sign(
    _publicKey: Buffer,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const done = typeof options === 'function' ? options : callback;
    const { hash = this.#hash } = typeof options === 'function' ? {} : options;
    sign(hash, data, this.#privateKey, (error, signature) => done?.(error ?? undefined, signature));
  }
}

import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import ssh2, { type IdentityCallback, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { HASHES, type SshKey } from './ssh-key.ts';

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

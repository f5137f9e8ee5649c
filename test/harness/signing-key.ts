import assert from 'node:assert/strict';
import { join } from 'node:path';
import { goBinary } from '../../hack/go-binary.ts';
import { runProgram } from './cluster.ts';
import { temporaryDirectory } from './process.ts';

/** A PGP key that charts are signed with. */
export interface SigningKey {
  /** As `helm package --key` finds it. */
  readonly name: string;
  /** Of the private key, as `helm package --keyring` reads it. */
  readonly secretFile: string;
  /** In hexadecimal. */
  readonly fingerprint: string;
  /** The public key, as `gpg --export` writes it, and as `gpg --export --armor` does. */
  readonly public: Buffer;
  readonly armored: string;
}

let program: Promise<string> | undefined;

/** @param times how long ago it was made, and for how long it is valid, as Go writes durations: `48h`. */
export async function newSigningKey(
  name: string,
  times: { made?: string; lifetime?: string } = {},
): Promise<SigningKey> {
  program ??= goBinary({
    name: 'signing-key',
    moduleDir: 'operator/render/engine',
    package: './testkey',
  });
  const secretFile = join(temporaryDirectory('signing-key'), 'secring.gpg');
  const options = Object.entries(times).flatMap(([option, value]) => [`-${option}`, value]);
  const made = await runProgram(await program, ['-name', name, '-secret', secretFile, ...options]);
  assert.equal(made.code, 0, made.stderr);
  const { fingerprint, public: encoded, armored } = JSON.parse(made.stdout);
  return { name, secretFile, fingerprint, public: Buffer.from(encoded, 'base64'), armored };
}

/** What `helm package` is told to sign with a key. */
export function signingWith(key: SigningKey | undefined): string[] {
  return key === undefined ? [] : ['--sign', '--key', key.name, '--keyring', key.secretFile];
}

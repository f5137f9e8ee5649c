import ssh2 from 'ssh2';
import { TowpathError } from '../api/errors.ts';
import { keyRounds } from './key-rounds.ts';

/** A private SSH key that nothing protects any more. */
export interface SshKey {
  /** `ssh-ed25519`, `ssh-rsa` and the like. */
  type: string;
  /** In SSH's wire form. */
  publicKey: Uint8Array;
  /** PEM. */
  privateKey: string;
}

/** Trying a passphrase takes 20 ms for each round. */
const MOST_ROUNDS = 128;

/**
 * Reads a private key in OpenSSH or PEM form. How long that takes is up to whoever wrote it: rounds of bcrypt, texts
 * that ssh2's expressions read in quadratic time. It is work for a thread.
 *
 * @throws TowpathError CredentialInvalid
 */
export function readSshKey(identity: string, passphrase: string | undefined): SshKey {
  const rounds = keyRounds(identity);
  if (rounds > MOST_ROUNDS)
    throw invalid(
      `has an SSH key in its key "identity" whose passphrase takes ${rounds} rounds to try, and at most ${MOST_ROUNDS} are taken. Write the key anew with fewer: ssh-keygen -p -a 16 -f <key>.`,
    );
  const parsed = ssh2.utils.parseKey(identity, passphrase);
  if (parsed instanceof Error) {
    const isLocked = /encrypted|passphrase|bad decrypt|integrity check/i.test(parsed.message);
    throw invalid(
      isLocked
        ? 'has an SSH key with a passphrase in its key "identity", and its key "password" lacks that or has a wrong one.'
        : 'has no private SSH key that can be read in its key "identity". Put one in OpenSSH or PEM form there.',
    );
  }
  if (!parsed.isPrivateKey())
    throw invalid(
      'has the public half of an SSH key in its key "identity". Put the private one there: the file without .pub.',
    );
  return {
    type: parsed.type,
    publicKey: new Uint8Array(parsed.getPublicSSH()),
    privateKey: parsed.getPrivatePEM(),
  };
}

/** The thread gave up on it. */
export function unreadableKey(cause: unknown): TowpathError {
  return invalid(
    'has an SSH key in its key "identity" that takes too long to read. Write it anew: ssh-keygen -p -a 16 -f <key>.',
    cause,
  );
}

function invalid(what: string, cause?: unknown): TowpathError {
  return new TowpathError('Person', 'CredentialInvalid', `The Git credential ${what}`, { cause });
}

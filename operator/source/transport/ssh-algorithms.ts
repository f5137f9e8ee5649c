import type { Algorithms, KexAlgorithm, ServerHostKeyAlgorithm } from 'ssh2';

/**
 * Not `diffie-hellman-group-exchange-*`: there the server chooses the prime, and finding out that it is one holds the
 * event loop for seconds, a minute for 8,192 bits.
 */
export const KEY_EXCHANGES: KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group15-sha512',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group17-sha512',
  'diffie-hellman-group18-sha512',
];

/** What is offered to a server whose keys of these types are known. */
export function algorithmsFor(types: ReadonlySet<string>): Algorithms {
  // What is compressed could be anything times as large, inflated in one turn; packs are compressed anyway.
  return { kex: KEY_EXCHANGES, compress: ['none'], serverHostKey: hostKeyAlgorithms(types) };
}

/** Only keys that are known are asked for, as OpenSSH does: a server has several. RSA with SHA-1 never is. */
function hostKeyAlgorithms(types: ReadonlySet<string>): ServerHostKeyAlgorithm[] {
  const supported: [string, ServerHostKeyAlgorithm[]][] = [
    ['ssh-ed25519', ['ssh-ed25519']],
    ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
    ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
    ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
    ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
  ];
  return supported.flatMap(([type, algorithms]) => (types.has(type) ? algorithms : []));
}

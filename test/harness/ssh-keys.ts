import ssh2 from 'ssh2';

/**
 * A new pair of keys of type ed25519, as OpenSSH writes them.
 *
 * ssh2 leaves out the zeros that a public key begins with, so that one pair of 256 cannot be read; such a pair is
 * not taken.
 */
export function newSshKeys(): { private: string; public: string } {
  for (;;) {
    const keys = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(keys.private) instanceof Error)) return keys;
  }
}

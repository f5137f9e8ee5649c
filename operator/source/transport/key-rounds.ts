const MAGIC = 'openssh-key-v1\0';

/**
 * How often bcrypt is repeated to try a passphrase on a private key in OpenSSH's form (PROTOCOL.key), as the key
 * itself says; 0 for every other.
 */
export function keyRounds(identity: string): number {
  const begin = identity.indexOf('-----BEGIN OPENSSH PRIVATE KEY-----');
  if (begin < 0) return 0;
  const from = identity.indexOf('\n', begin);
  const to = identity.lastIndexOf('-----END');
  const bytes = Buffer.from(identity.slice(from, to < from ? undefined : to), 'base64');
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return 0;
  // cipher, KDF, and its options: salt and rounds
  let at = MAGIC.length;
  for (let skipped = 0; skipped < 2; skipped += 1) at = behindString(bytes, at);
  const rounds = behindString(bytes, at + 4);
  return at + 4 < bytes.length && rounds + 4 <= behindString(bytes, at) ? bytes.readUInt32BE(rounds) : 0;
}

/** Where what follows a string begins (RFC 4251, 5): strings are preceded by their length. */
export function behindString(bytes: Buffer, at: number): number {
  return at + 4 > bytes.length ? bytes.length : Math.min(bytes.length, at + 4 + bytes.readUInt32BE(at));
}

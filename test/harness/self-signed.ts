import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** DER (X.690): tag, length, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length.toString(16);
  const bytes = Buffer.from(size.padStart(size.length + (size.length % 2), '0'), 'hex');
  const length = content.length < 128 ? bytes : Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([tag]), length, content]);
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));

/** A whole number that is not negative. */
const integer = (bytes: Buffer) => der(0x02, Buffer.alloc((bytes[0] ?? 0) >> 7), bytes);

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** A certificate of an RSA key for 127.0.0.1, signed by itself (RFC 5280), which Node cannot make. */
export function selfSigned(key: KeyObject): string {
  const algorithm = sequence(oid('2a864886f70d01010b'), der(0x05)); // sha256WithRSAEncryption
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  // Of two that are trusted under one name OpenSSL takes either for the authority of both.
  const called = `test ${createHash('sha256').update(publicKey).digest('hex').slice(0, 16)}`;
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(called)))));
  const validity = sequence(
    der(0x17, Buffer.from('200101000000Z')),
    der(0x18, Buffer.from('21200101000000Z')),
  );
  const address = der(0x04, sequence(der(0x87, Buffer.from([127, 0, 0, 1]))));
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    publicKey,
    der(0xa3, sequence(sequence(oid('551d11'), address))), // subjectAltName
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, key));
  return pem('CERTIFICATE', sequence(body, algorithm, signature));
}

/** Parameters of Diffie-Hellman with that prime, or what stands for one (PKCS #3). */
export function dhParameters(prime: Buffer): string {
  return pem('DH PARAMETERS', sequence(integer(prime), integer(Buffer.from([2]))));
}

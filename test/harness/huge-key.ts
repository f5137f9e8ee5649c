import { createPrivateKey, getDiffieHellman, type KeyObject } from 'node:crypto';

/** An RSA key of 14,336 bits, of primes that everybody knows: to find others takes minutes. */
export function hugeKey(): KeyObject {
  const prime = (group: string) => BigInt(`0x${getDiffieHellman(group).getPrime('hex')}`);
  const [p, q] = [prime('modp18'), prime('modp17')];
  const e = 65_537n;
  const d = inverse(e, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const texts = Object.entries(numbers).map(([name, number]) => [name, textOf(number)]);
  return createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(texts) }, format: 'jwk' });
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next, factor, after] = [modulus, value, 0n, 1n];
  while (next > 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [factor, after] = [after, factor - quotient * after];
  }
  return ((factor % modulus) + modulus) % modulus;
}

function textOf(number: bigint): string {
  const digits = number.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url');
}

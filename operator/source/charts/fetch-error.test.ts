import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchError } from './fetch-error.ts';

test('a certificate or key of a credential that cannot be used is told by where a chart has it', () => {
  const error = Object.assign(new Error('x'), { code: 'ERR_OSSL_PEM_NO_START_LINE' });
  const { reason, remedy, message } = fetchError(error, { host: 'charts.example.com:443', way: 'Direct' });
  assert.deepEqual(
    [remedy, reason, message],
    [
      'Person',
      'CredentialInvalid',
      'The chart repository at charts.example.com:443 cannot be asked with the certificate or private key of its credential. Check the keys "ca.crt", "tls.crt" and "tls.key" of the Secret that spec.helm.registries names for it.',
    ],
  );
});

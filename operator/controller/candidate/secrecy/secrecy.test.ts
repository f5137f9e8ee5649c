import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import { type Application, parseApplication } from '../../../api/v1alpha1/application.ts';
import { Quarantine } from '../quarantine.ts';
import { Secrecy } from './secrecy.ts';

const MARK = 'marked-8f3a';
const FROM = [{ kind: 'Secret', name: 'values' }];

function application(spec: object): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { source: { repoURL: 'https://git.example.com/shop.git' }, ...spec },
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

test('S5: before what a Secret has is known, nothing is told that may repeat it, wherever it is named', () => {
  for (const spec of [
    { helm: { valuesFrom: FROM } },
    { environments: [{ name: 'staging' }, { name: 'prod', valuesFrom: FROM }] },
  ]) {
    const told = new Secrecy().hideIn(application(spec), `it must not hold ${MARK}`);
    assert.ok(!told.includes(MARK), JSON.stringify(spec));
  }
  assert.match(new Secrecy().hideIn(application({}), `it holds ${MARK}`), /marked/, 'there is no Secret');
});

test('S5: each error of a refused candidate is told without the values, as its message is', () => {
  const secrecy = new Secrecy();
  secrecy.learn('shop/web', [`password: ${MARK}\n`]);
  const details = [{ message: `one holds ${MARK}` }, { message: 'another one' }];
  const error = new TowpathError('Person', 'ManifestInvalid', `No: ${MARK}.`, { details });
  const hidden = secrecy.hide(application({}), new Quarantine({ revision: 'a' }, error));
  assert.ok(hidden instanceof Quarantine);
  assert.ok(!JSON.stringify([hidden.rejected, hidden.message, hidden.error.message]).includes(MARK));
  assert.equal(hidden.rejected.errors.length, 2);
  const elsewhere = new Quarantine({ revision: 'a' }, error, undefined, 'Another');
  const hiddenToo = secrecy.hide(application({}), elsewhere);
  assert.ok(hiddenToo instanceof Quarantine);
  assert.deepEqual(hiddenToo.rejected.errors, []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMap, messageOf, newSteps, reasonOf, type TestObject } from './steps.ts';

/** What an expression with two parts without a bound tries in as many ways as it is long, squared. */
const LABELS = {
  'words of a refusal, again and again': 'update to '.repeat(8_000),
  'quotes without an end': 'namespace "'.repeat(7_000),
  'objects without an end': 'Invalid value: {&{'.repeat(4_500),
};

const labelled = (name: string, label: string): TestObject => ({
  ...configMap(name),
  metadata: { name, labels: { a: label } },
});

test('A15: a label of 80 KB is told as a refusal, and holds up nobody', async (t) => {
  // Whether the event loop was held is asserted at the end of every stage.
  const { stage, push, deploy, change, live } = await newSteps(t);
  await deploy('other', [configMap('other', { at: '0' })]);
  let at = 0;
  for (const [what, label] of Object.entries(LABELS)) {
    const name = `label-${at}`;
    await t.test(what, async () => {
      await push(name, [labelled(name, label)]);
      await stage.application(name, { source: { path: name } });
      const told = await stage.until(name, ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      assert.equal(reasonOf(told), 'ManifestInvalid');
      assert.match(messageOf(told), /^dry-run of ConfigMap \S+: metadata\.labels: Invalid value: ".{1,80}/);
      assert.match(messageOf(told), /must be no more than 63 .*Correct it in Git\.$/);
      at += 1;
      await change('other', [configMap('other', { at: String(at) })]);
      assert.equal((await live('configmap', 'other'))?.data?.['at'], String(at));
      // The next commit is taken as ever.
      await change(name, [configMap(name)]);
    });
  }
});

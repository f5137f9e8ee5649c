import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { cloneOf } from '../harness/clone.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { without } from '../harness/programs.ts';
import { configMap, newSteps } from './steps.ts';

test('kubectl towpath uses colours on a terminal only, and no more than its columns', {
  skip: without('script'),
}, async (t) => {
  const { stage, push } = await newSteps(t);
  const { towpath, onTerminal } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const name = 'an-application-whose-name-is-as-long-as-names-may-be';
  await push('web', [configMap('web')]);
  await stage.deployed(name, { source: { path: 'web' } });
  await stage.repository.commit({ 'bad/objects.yaml': 'kind: [' });
  await stage.application('bad', { source: { path: 'bad' } });
  await stage.until('bad', ({ status }) => status?.sync === 'Quarantined', 'the quarantine');

  const piped = (await towpath('status')).stdout;
  assert.ok(!piped.includes('\u001b'), piped);
  const kubectl = `kubectl towpath -n ${stage.namespace}`;
  const coloured = await onTerminal(`${kubectl} status; ${kubectl} why bad; ${kubectl} history ${name}`);
  assert.ok(coloured.includes('\u001b[32mSynced\u001b[39m'), coloured);
  const lines = stripVTControlCharacters(coloured).split(/\r?\n/);
  assert.deepEqual(
    lines.filter((line) => [...line].length > 80),
    [],
  );
  const colourless = await onTerminal(`NO_COLOR=1 ${kubectl} status ${name}`);
  assert.ok(!colourless.includes('\u001b'), colourless);
});

test('kubectl towpath diff fits into 80 columns, and says without colours what it says with them', {
  skip: without('script'),
}, async (t) => {
  const { stage, push } = await newSteps(t);
  const { onTerminal } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
  const line = 'words that go on '.repeat(8);
  await push('web', [configMap('web', { key: `${line}and end` }), configMap('old')]);
  await stage.deployed('web', { source: { path: 'web' } });
  const clone = await cloneOf(stage.repository);
  const objects = { apiVersion: 'v1', kind: 'List', items: [configMap('web', { key: `${line}and go on` })] };
  clone.write('web/objects.yaml', JSON.stringify(objects));
  const diff = `kubectl towpath -n ${stage.namespace} diff web --local ${clone.directory} || [ $? = 9 ]`;
  const coloured = await onTerminal(diff);
  assert.ok(coloured.includes('\u001b[32m'), coloured);
  const text = stripVTControlCharacters(coloured);
  assert.deepEqual(
    text.split(/\r?\n/).filter((each) => [...each].length > 80),
    [],
  );
  assert.match(text, /- ConfigMap \S+\/old would be deleted/);
  // A directory for temporary files may be deeper than any socket can be.
  const deep = `export NO_COLOR=1 TMPDIR="$TMPDIR/${'deep-'.repeat(20)}"; mkdir "$TMPDIR"`;
  assert.equal(await onTerminal(`${deep}; ${diff}`), text);
});

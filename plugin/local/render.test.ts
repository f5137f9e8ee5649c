import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { cloneOf } from '../../test/harness/clone.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { readClone } from './clone.ts';
import { renderLocally } from './render.ts';
import type { LocalSession } from './session.ts';

test('what the operator would fetch is not known, and nothing is shown in its place', async () => {
  process.env['TOWPATH_ENGINE'] = await buildEngine();
  const dependencies = '- {name: redis, version: ^7.0.0, repository: "https://charts.example.com"}';
  const files = {
    'web/Chart.yaml': `apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n${dependencies}\n`,
    'web/templates/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n',
  };
  const { directory } = await cloneOf(await createRepository({ files }));
  const application = {
    metadata: { namespace: 'shop', name: 'web' },
    spec: { source: { repoURL: 'https://git.example.com/shop/web', path: 'web' } },
  } as unknown as Application;
  const session = {
    application,
    clone: await readClone(directory),
    landing: { environment: 'default', namespace: 'shop', path: 'web', layers: [], unknown: ['More.'] },
    served: { kubeVersion: 'v1.36.0', apiVersions: ['v1'], scopes: { '/ConfigMap': true }, unknown: [] },
    unknown: [],
    signal: AbortSignal.timeout(60_000),
  } as unknown as LocalSession;
  await assert.rejects(renderLocally(session, ''), (error: CommandError) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.equal(error.code, EXIT.Unknown);
    assert.match(
      error.message,
      /redis \^7\.0\.0 from https:\/\/charts\.example\.com\).* `helm dependency build` .*\nMore\.$/,
    );
    return true;
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applicationSchema } from '../../api/v1alpha1/application.ts';
import { followedRepository } from './followed-repository.ts';

function followed(spec: object): string | undefined {
  const application = applicationSchema.parse({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop' },
    spec,
  });
  return followedRepository(application, { nameOf: (url) => url.split('//')[1] });
}

test('D5: those may take over from each other that come from one repository, of Git or of charts', () => {
  const chart = (repoURL: string) => ({ chart: { repoURL, name: 'web', version: '1.0.0' } });
  const git = { source: { repoURL: 'https://git.example.com/web' } };
  assert.equal(followed(git), 'git.example.com/web');
  assert.equal(followed({ ...git, helm: chart('https://charts.example.com') }), 'git.example.com/web');
  const one = followed({ helm: chart('https://charts.example.com/a') });
  assert.notEqual(one, undefined);
  assert.equal(followed({ helm: chart('https://CHARTS.example.com/a/') }), one);
  assert.notEqual(followed({ helm: chart('https://charts.example.com/b') }), one);
  assert.equal(followedRepository(undefined, { nameOf: assert.fail }), undefined);
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newCertificates } from '../../../test/harness/certificates.ts';
import { type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { Sources } from '../../source/sources.ts';
import { WantedCandidates, type WantedInput, type WantedOptions } from './wanted.ts';

describe('what an Application wants', () => {
  let git: GitRepository;
  let server: GitHttpServer;
  let sources: Sources;

  before(async () => {
    git = await createRepository({ files: { 'a.yaml': 'a: 1\n' } });
    server = await startGitHttp({ root: git.root });
    sources = new Sources({ allowLoopback: true });
  });
  after(async () => {
    await sources.stop();
    await server.stop();
  });

  /** Only what finding needs; the render gives nothing. */
  function wantedFrom(secret: () => Map<string, Uint8Array>): WantedCandidates {
    const options = {
      sources,
      references: { read: async () => new Map([['Secret/git', secret()]]), forget: () => undefined },
      renderer: { render: async () => ({ objects: [], hooks: [], inputs: '' }) },
      discovery: { kubeVersion: () => 'v1.37.2', apiVersions: () => [], scopes: () => ({}) },
      onChange: () => undefined,
    };
    return new WantedCandidates(options as unknown as WantedOptions);
  }

  function input(): WantedInput {
    const source = { repoURL: server.url(git.name), path: '', interval: '1h', secretRef: { name: 'git' } };
    return {
      key: 'shop/web',
      application: { metadata: { namespace: 'shop', name: 'web' }, spec: { source } },
      target: { namespace: 'shop', application: 'web', environment: 'default' },
      targetId: 't1',
      values: undefined,
      known: [],
      settled: {},
      lookNow: undefined,
    } as unknown as WantedInput;
  }

  it('is found again once a credential that could not be used is taken back', async () => {
    const { ca } = await newCertificates(['127.0.0.1']);
    const good = new Map([['ca.crt', Buffer.from(ca)]]);
    const secretOverPlainHttp = new Map([['bearerToken', Buffer.from('token')]]);
    let secret = good;
    const wanted = wantedFrom(() => secret);
    const find = () => wanted.find(input(), () => undefined, AbortSignal.timeout(20_000));
    const head = await git.revParse('HEAD');
    assert.equal((await find()).resolved.commit, head);
    secret = secretOverPlainHttp;
    await assert.rejects(find(), { reason: 'PlainHTTPRefused' });
    secret = good;
    const next = await git.commit({ 'a.yaml': 'a: 2\n' });
    assert.equal((await find()).resolved.commit, next);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newCertificates } from '../../../test/harness/certificates.ts';
import { type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { Slices } from '../../observe/slices.ts';
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
  function wantedFrom(secret: () => Map<string, Uint8Array>, from = sources): WantedCandidates {
    const options = {
      sources: from,
      references: {
        read: async () => new Map([['Secret/git', { data: secret(), hosts: undefined }]]),
        forget: () => undefined,
      },
      renderer: { render: async () => ({ objects: [], hooks: [], inputs: '', reads: {} }) },
      discovery: {
        kubeVersion: () => 'v1.37.2',
        apiVersions: () => [],
        scopes: () => ({}),
        unknown: () => [],
      },
      slices: new Slices(),
      nameOf: (url: string) => url,
      onChange: () => undefined,
    };
    return new WantedCandidates(options as unknown as WantedOptions);
  }

  function input(repoURL = server.url(git.name)): WantedInput {
    const source = { repoURL, path: '', interval: '1h', secretRef: { name: 'git' } };
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

  it('is found with those keys of the Secret that its URL needs', async () => {
    const basic = { username: 'reader', password: 'secret' };
    const guarded = await startGitHttp({ root: git.root, basic });
    const open = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true });
    try {
      const data = { ...basic, identity: 'key', known_hosts: 'host' };
      const secret = new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text)]));
      const wanted = wantedFrom(() => secret, open);
      const signal = AbortSignal.timeout(20_000);
      const { resolved } = await wanted.find(input(guarded.url(git.name)), () => undefined, signal);
      assert.equal(resolved.commit, await git.revParse('HEAD'));
    } finally {
      await open.stop();
      await guarded.stop();
    }
  });
});

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { Seeded } from '../../test/corpus/seeded.ts';
import { type HostAliases, hostAliases } from '../source/repository-name.ts';
import { isReadable, payloadOf } from './payload.ts';
import { PROVIDERS, type Pushed } from './providers.ts';
import { named } from './pushed-names.ts';
import { RepositoryIndex } from './repository-index.ts';

const secret = 'a secret of more than 16 characters';
const zero = '0'.repeat(40);
const [before, after] = ['1'.repeat(40), '2'.repeat(40)];
const aliases = hostAliases('ssh.example.com=git.example.com') ?? new Map();

type Tells = 'Push' | 'Other';

/** What is sent of one event, and whether it is a push. */
interface Fixture {
  provider: string;
  what: string;
  headers: Record<string, string>;
  payload: unknown;
  tells: Tells;
  /** Ways in which an Application may name the repository; all are meant. */
  meant: readonly string[];
  /** Others, which are not. */
  others: readonly string[];
}

const everywhere = (host: string, path: string, ssh = host) => [
  `https://${host}/${path}`,
  `https://${host}/${path}.git`,
  `https://${host}:8443/${path}.git/`,
  `http://${host}/${path}`,
  `git@${ssh}:${path}.git`,
  `${ssh}:${path}`,
  `deploy@${ssh}:/${path}`,
  `ssh://git@${ssh}/${path}.git`,
  `ssh://someone@${ssh}:2222/${path}`,
  `https://${host.toUpperCase()}/${path.toUpperCase()}`,
];

const otherThan = (host: string, path: string) => [
  `https://${host}/${path}-next`,
  `https://${host}/x${path}`,
  `https://elsewhere.example/${path}`,
  `git@elsewhere.example:${path}.git`,
];

const githubRepository = {
  id: 7,
  node_id: 'R_7',
  name: 'web',
  full_name: 'shop/web',
  private: true,
  owner: { name: 'shop', login: 'shop', html_url: 'https://github.com/shop' },
  html_url: 'https://github.com/shop/web',
  url: 'https://api.github.com/repos/shop/web',
  git_url: 'git://github.com/shop/web.git',
  ssh_url: 'git@github.com:shop/web.git',
  clone_url: 'https://github.com/shop/web.git',
  svn_url: 'https://github.com/shop/web',
  default_branch: 'main',
};
const githubMeant = [
  ...everywhere('github.com', 'shop/web'),
  'ssh://git@ssh.github.com:443/shop/web.git',
  'git@ssh.github.com:shop/web.git',
];

function github(what: string, event: string, payload: object, tells: Tells = 'Push'): Fixture {
  return {
    provider: 'github',
    what,
    headers: { 'x-github-event': event, 'x-github-delivery': 'a', 'user-agent': 'GitHub-Hookshot/a' },
    payload: { repository: githubRepository, sender: { login: 'me' }, ...payload },
    tells,
    meant: githubMeant,
    others: otherThan('github.com', 'shop/web'),
  };
}

const gitlabProject = {
  id: 7,
  name: 'web',
  namespace: 'Shop',
  path_with_namespace: 'shop/team/web',
  web_url: 'https://git.example.com/gitlab/shop/team/web',
  git_ssh_url: 'ssh://git@ssh.example.com:2222/shop/team/web.git',
  git_http_url: 'https://git.example.com/gitlab/shop/team/web.git',
  ssh_url: 'ssh://git@ssh.example.com:2222/shop/team/web.git',
  http_url: 'https://git.example.com/gitlab/shop/team/web.git',
  default_branch: 'main',
};

function gitlab(what: string, event: string, payload: object, tells: Tells = 'Push'): Fixture {
  return {
    provider: 'gitlab',
    what,
    headers: { 'x-gitlab-event': event, 'x-gitlab-instance': 'https://git.example.com' },
    payload: {
      user_username: 'me',
      project_id: 7,
      project: gitlabProject,
      repository: { name: 'web', url: gitlabProject.ssh_url, homepage: gitlabProject.web_url },
      ...payload,
    },
    tells,
    // Its web pages below a path, SSH on a host of its own.
    meant: [
      'https://git.example.com/gitlab/shop/team/web',
      'https://git.example.com/gitlab/shop/team/web.git',
      ...everywhere('git.example.com', 'shop/team/web', 'ssh.example.com').filter(
        (url) => !/^http/.test(url),
      ),
    ],
    others: ['https://git.example.com/gitlab/shop/web', 'git@ssh.example.com:team/web.git'],
  };
}

function gitea(
  name: 'gitea' | 'forgejo',
  what: string,
  event: string,
  payload: object,
  tells: Tells = 'Push',
): Fixture {
  return {
    provider: 'gitea',
    what: `${name}: ${what}`,
    headers: { [`x-${name}-event`]: event, [`x-${name}-delivery`]: 'a', 'x-github-event': event },
    payload: {
      repository: {
        id: 7,
        name: 'web',
        full_name: 'shop/web',
        html_url: 'https://git.example.com/shop/web',
        ssh_url: 'ssh://gitea@ssh.example.com:2222/shop/web.git',
        clone_url: 'https://git.example.com/shop/web.git',
        original_url: '',
      },
      ...payload,
    },
    tells,
    meant: [...everywhere('git.example.com', 'shop/web'), 'git@ssh.example.com:shop/web.git'],
    others: otherThan('git.example.com', 'shop/web'),
  };
}

function cloud(what: string, event: string, changes: readonly object[], tells: Tells = 'Push'): Fixture {
  return {
    provider: 'bitbucket',
    what: `Cloud: ${what}`,
    headers: { 'x-event-key': event, 'x-hook-uuid': 'a', 'x-attempt-number': '1' },
    payload: {
      push: { changes },
      repository: {
        type: 'repository',
        full_name: 'shop/web',
        name: 'web',
        uuid: '{7}',
        project: { type: 'project', key: 'SHOP' },
        links: {
          self: { href: 'https://api.bitbucket.org/2.0/repositories/shop/web' },
          html: { href: 'https://bitbucket.org/shop/web' },
        },
      },
    },
    tells,
    meant: [...everywhere('bitbucket.org', 'shop/web'), 'ssh://git@altssh.bitbucket.org:443/shop/web.git'],
    others: otherThan('bitbucket.org', 'shop/web'),
  };
}

function dataCenter(
  what: string,
  event: string,
  repository: object | undefined,
  tells: Tells = 'Push',
): Fixture {
  return {
    provider: 'bitbucket',
    what: `Data Center: ${what}`,
    headers: { 'x-event-key': event, 'x-request-id': 'a' },
    payload: repository === undefined ? { test: true } : { eventKey: event, repository },
    tells,
    meant: [
      'https://git.example.com/scm/shop/web.git',
      'https://me@git.example.com/scm/SHOP/web.git',
      'https://git.example.com/bitbucket/scm/shop/web.git',
      'ssh://git@git.example.com:7999/shop/web.git',
    ],
    others: ['https://git.example.com/scm/workshop/web.git', 'ssh://git@git.example.com:7999/shop/web2.git'],
  };
}

const azureMeant = [
  'https://dev.azure.com/shop/Web%20Shop/_git/web',
  'https://dev.azure.com/shop/web%20shop/_git/web/',
  'git@ssh.dev.azure.com:v3/shop/Web%20Shop/web',
  'ssh://git@ssh.dev.azure.com:22/v3/shop/Web%20Shop/web',
  'https://shop.visualstudio.com/Web%20Shop/_git/web',
  'https://shop.visualstudio.com/DefaultCollection/Web%20Shop/_git/web',
  'shop@vs-ssh.visualstudio.com:v3/shop/Web%20Shop/web',
  'ssh://shop@vs-ssh.visualstudio.com:22/Web%20Shop/_ssh/web',
];

function azure(what: string, event: string, remoteUrl: string, meant = azureMeant): Fixture {
  return {
    provider: 'azure',
    what,
    headers: { 'user-agent': 'VSServices/1' },
    payload: {
      subscriptionId: 'a',
      notificationId: 7,
      eventType: event,
      publisherId: 'tfs',
      message: { text: 'Somebody pushed updates to web:main.' },
      resource: {
        commits: [{ commitId: after }],
        refUpdates: [{ name: 'refs/heads/main', oldObjectId: before, newObjectId: after }],
        repository: {
          id: '7',
          name: 'web',
          url: 'https://dev.azure.com/shop/_apis/git/repositories/7',
          project: { id: '7', name: 'Web Shop', state: 'wellFormed' },
          defaultBranch: 'refs/heads/main',
          remoteUrl,
        },
        pushId: 7,
      },
      resourceVersion: '1.0',
      resourceContainers: { collection: { id: 'a' }, project: { id: 'a' } },
    },
    tells: 'Push',
    meant,
    others: [
      'https://dev.azure.com/shop/Web/_git/web',
      'https://dev.azure.com/other/Web%20Shop/_git/web',
      'git@ssh.dev.azure.com:v3/shop/Web%20Shop/web2',
      'https://other.visualstudio.com/Web%20Shop/_git/web',
      'https://elsewhere.example/shop/Web%20Shop/_git/web',
    ],
  };
}

const changed = (type: string, name: string, [from, to]: [unknown, unknown]) => ({
  old: from === null ? null : { type, name, target: { hash: before } },
  new: to === null ? null : { type, name, target: { hash: after } },
  created: from === null,
  closed: to === null,
});
const dataCenterRepository = {
  slug: 'web',
  id: 7,
  name: 'Web',
  scmId: 'git',
  project: { key: 'SHOP', id: 1, name: 'Shop', type: 'NORMAL' },
};

const FIXTURES: readonly Fixture[] = [
  github('a branch', 'push', { ref: 'refs/heads/main', before, after, commits: [{ id: after }] }),
  github('a tag', 'push', { ref: 'refs/tags/v1.2.3', before: zero, after, created: true, base_ref: null }),
  github('a branch deleted', 'push', { ref: 'refs/heads/old', before, after: zero, deleted: true }),
  github('a ref created', 'create', { ref: 'v1.2.3', ref_type: 'tag' }),
  github('a ref deleted', 'delete', { ref: 'old', ref_type: 'branch' }),
  github('a ping', 'ping', { zen: 'a', hook_id: 1, hook: { type: 'Repository' } }, 'Other'),
  github('an issue', 'issues', { action: 'opened' }, 'Other'),
  gitlab('a branch', 'Push Hook', { object_kind: 'push', ref: 'refs/heads/main', before, after }),
  gitlab('a tag', 'Tag Push Hook', { object_kind: 'tag_push', ref: 'refs/tags/v1', before: zero, after }),
  gitlab('a branch deleted', 'Push Hook', { object_kind: 'push', before, after: zero, checkout_sha: null }),
  gitlab('of the whole instance', 'System Hook', { event_name: 'repository_update', changes: [] }),
  gitlab('an issue', 'Issue Hook', { object_kind: 'issue' }, 'Other'),
  ...(['gitea', 'forgejo'] as const).flatMap((name) => [
    gitea(name, 'a branch', 'push', { ref: 'refs/heads/main', before, after }),
    gitea(name, 'a tag', 'create', { ref: 'v1.2.3', ref_type: 'tag', sha: after }),
    gitea(name, 'a branch deleted', 'delete', { ref: 'old', ref_type: 'branch', pusher_type: 'user' }),
    gitea(name, 'a pull request', 'pull_request', { action: 'opened' }, 'Other'),
  ]),
  cloud('a branch', 'repo:push', [changed('branch', 'main', [1, 1])]),
  cloud('a tag', 'repo:push', [changed('tag', 'v1.2.3', [null, 1])]),
  cloud('a branch deleted', 'repo:push', [changed('branch', 'old', [1, null])]),
  cloud('a pull request', 'pullrequest:created', [], 'Other'),
  dataCenter('a branch', 'repo:refs_changed', dataCenterRepository),
  dataCenter('with links', 'repo:refs_changed', {
    ...dataCenterRepository,
    links: {
      clone: [
        { name: 'http', href: 'https://me@git.example.com/scm/shop/web.git' },
        { name: 'ssh', href: 'ssh://git@git.example.com:7999/shop/web.git' },
      ],
      self: [{ href: 'https://git.example.com/projects/SHOP/repos/web/browse' }],
    },
  }),
  dataCenter('a test of the connection', 'diagnostics:ping', undefined, 'Other'),
  azure('a branch', 'git.push', 'https://dev.azure.com/shop/Web%20Shop/_git/web'),
  azure('a name with white space', 'git.push', 'https://dev.azure.com/shop/Web Shop/_git/web'),
  azure(
    'of the former host',
    'git.push',
    'https://shop.visualstudio.com/DefaultCollection/Web%20Shop/_git/web',
  ),
  azure('a server of one’s own', 'git.push', 'https://git.example.com/tfs/Shop/_git/web', [
    'https://git.example.com/tfs/Shop/_git/web',
    'https://git.example.com/tfs/Shop/web/_git/web',
    'ssh://git@ssh.example.com:22/tfs/Shop/web/_ssh/web',
  ]),
  {
    provider: 'generic',
    what: 'a list',
    headers: {},
    payload: { repository: ['https://git.example.com/shop/web', 'git@ssh.example.com:shop/web.git', 7] },
    tells: 'Push',
    meant: everywhere('git.example.com', 'shop/web', 'ssh.example.com'),
    others: otherThan('git.example.com', 'shop/web'),
  },
];

interface Sent {
  headers: Record<string, string>;
  body: string;
}

/** As JSON, and for those who can as a form. */
function sent({ provider, what, headers, payload }: Fixture): Sent[] {
  const json = JSON.stringify(payload);
  const form = new URLSearchParams({ payload: json }).toString();
  const bodies = [
    ['application/json', json],
    ['application/json; charset=utf-8', json],
    ...(['github', 'gitea'].includes(provider) ? [['application/x-www-form-urlencoded', form] as const] : []),
    // What curl says of all it sends, where it is not told better.
    ...(provider === 'generic' ? [['application/x-www-form-urlencoded', json] as const] : []),
  ] as const;
  return bodies.map(([type, body]) => ({
    headers: { ...headers, ...proofOf(provider, what, body), 'content-type': type },
    body,
  }));
}

function proofOf(provider: string, what: string, body: string): Record<string, string> {
  const hex = createHmac('sha256', secret).update(body).digest('hex');
  if (provider === 'github') return { 'x-hub-signature-256': `sha256=${hex}` };
  if (provider === 'gitlab') return { 'x-gitlab-token': secret };
  if (provider === 'bitbucket') return { 'x-hub-signature': `sha256=${hex}` };
  if (provider === 'azure')
    return { authorization: `Basic ${Buffer.from(`somebody:${secret}`).toString('base64')}` };
  if (provider === 'generic') return { 'x-signature': `sha256=${hex}` };
  return { [`x-${what.startsWith('forgejo') ? 'forgejo' : 'gitea'}-signature`]: hex };
}

/** What is pushed to; undefined where it is none of a push, or none that reads. */
function read(provider: string, { headers, body }: Sent): Pushed | undefined {
  const known = PROVIDERS.get(provider);
  assert.ok(known !== undefined);
  const delivery = { headers, body: Buffer.from(body) };
  assert.ok(isReadable(headers) && known.mayProve(headers, secret) && known.proves(delivery, secret));
  if (!known.isPush(headers)) return undefined;
  const payload = payloadOf(delivery);
  return payload === undefined ? undefined : known.pushed(payload);
}

function isMeant(pushed: Pushed, url: string, known: HostAliases): boolean {
  const index = new RepositoryIndex(known);
  index.set('a/a', url);
  return index.matching(named(pushed, known)).length > 0;
}

for (const fixture of FIXTURES)
  test(`${fixture.provider}, ${fixture.what}: ${fixture.tells === 'Push' ? 'its repository is meant, however it is written' : 'asks for nothing'}`, () => {
    for (const each of sent(fixture)) {
      const pushed = read(fixture.provider, each);
      assert.equal(pushed !== undefined, fixture.tells === 'Push');
      if (pushed === undefined) continue;
      for (const url of fixture.meant) assert.ok(isMeant(pushed, url, aliases), `${url} is meant`);
      for (const url of fixture.others) assert.ok(!isMeant(pushed, url, aliases), `${url} is not`);
    }
  });

const VALUES: [unknown, ...unknown[]] = [
  null,
  true,
  7,
  1e308,
  '',
  [],
  {},
  [null],
  'x'.repeat(5_000),
  'https://\ud800/a/b',
  'https://a:b@c/d/e',
  'ssh://[::1/a/b',
  '-oProxyCommand=x:y/z',
  'git@h:/../../etc\u0000',
  Array.from({ length: 1_000 }, () => 'https://git.example.com/shop/web'),
  { href: { href: 'https://git.example.com/shop/web' } },
];

/** One value of it, anywhere, is another one, or gone. */
function mutated(value: unknown, random: Seeded): unknown {
  if (typeof value !== 'object' || value === null || random.chance(0.2)) return random.pick(VALUES);
  if (Array.isArray(value)) {
    const other = random.below(Math.max(1, value.length));
    return value.map((each, index) => (index === other ? mutated(each, random) : each));
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length);
  return Object.fromEntries(
    entries.flatMap(([key, each], index) => {
      if (index !== at) return [[key, each]];
      return random.chance(0.1) ? [] : [[key, mutated(each, random)]];
    }),
  );
}

test('S13: whatever stands in a signed delivery is read without an error, and names little', () => {
  const random = new Seeded(20_261_128);
  for (let round = 0; round < 100; round += 1)
    for (const fixture of FIXTURES.filter(({ tells }) => tells === 'Push')) {
      let payload = fixture.payload;
      for (let times = random.below(4); times >= 0; times -= 1) payload = mutated(payload, random);
      for (const { headers, body } of sent({ ...fixture, payload })) {
        const cut = random.chance(0.2) ? body.slice(0, random.below(body.length)) : body;
        const proof = proofOf(fixture.provider, fixture.what, cut);
        const pushed = read(fixture.provider, { headers: { ...headers, ...proof }, body: cut });
        const said = [...(pushed?.urls ?? []), ...(pushed?.paths ?? [])];
        assert.ok(said.length <= 80 && said.every((text) => text.length <= 5_000), cut);
        if (pushed !== undefined) named(pushed, aliases);
      }
    }
});

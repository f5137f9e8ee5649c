import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { longestTurn, TURN_LIMIT_MS } from '../../test/harness/event-loop.ts';
import { selfSigned } from '../../test/harness/self-signed.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { TowpathError } from '../api/errors.ts';
import { readKubeConfig } from './kubeconfig.ts';

const WHERE = 'The kubeconfig in the Secret towpath/eu (key kubeconfig)';
/** No message has it, wherever it stands (S5). */
const MARK = 'S3cr3t-marker';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const certificate = selfSigned(privateKey);
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const base64 = (text: string) => Buffer.from(text).toString('base64');
const jwt = (claims: object) =>
  `${base64('{"alg":"none"}')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;

const CA = { 'certificate-authority-data': base64(certificate) };
const TOKEN = { token: MARK };
const CLIENT = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };

interface Parts {
  cluster?: Record<string, unknown>;
  user?: Record<string, unknown>;
  more?: Record<string, unknown>;
}

function fileOf({ cluster = CA, user = TOKEN, more = {} }: Parts = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    preferences: {},
    'current-context': 'eu',
    clusters: [{ name: 'eu-cluster', cluster: { server: 'https://eu.example.com:6443', ...cluster } }],
    users: [{ name: 'deployer', user }],
    contexts: [{ name: 'eu', context: { cluster: 'eu-cluster', user: 'deployer', namespace: 'any' } }],
    ...more,
  };
}

const read = (parts?: Parts) => readKubeConfig(stringify(fileOf(parts)), WHERE);

function refusal(content: string): TowpathError {
  try {
    readKubeConfig(content, WHERE);
  } catch (error) {
    assert.ok(error instanceof TowpathError, String(error));
    assert.equal(error.reason, 'KubeConfigInvalid');
    assert.equal(error.remedy, 'Person');
    assert.ok(error.message.startsWith(`${WHERE} cannot be used: `), error.message);
    assert.ok(error.message.endsWith(error.next) && error.next !== '', error.message);
    // A status that has no room for all keeps the end.
    assert.ok(error.message.length <= 300 && error.next.length <= 120, error.message);
    assert.ok(!error.message.includes(MARK) && !error.message.includes(base64(MARK)), error.message);
    return error;
  }
  return assert.fail(`taken: ${content.slice(0, 300)}`);
}

describe('a kubeconfig of another cluster', () => {
  it('S12: with a token is taken, and so are its authority, proxy and the name in the certificate', () => {
    const { access, context, expiresAt } = read({
      cluster: {
        ...CA,
        'proxy-url': 'http://proxy.example.com:3128',
        'tls-server-name': 'kubernetes.default',
        'insecure-skip-tls-verify': false,
        'disable-compression': true,
      },
    });
    assert.deepEqual(access, {
      server: 'https://eu.example.com:6443',
      proxyUrl: 'http://proxy.example.com:3128',
      tls: { ca: certificate, servername: 'kubernetes.default' },
      headers: ['Authorization', `Bearer ${MARK}`],
    });
    assert.equal(context, 'eu');
    assert.equal(expiresAt, undefined);
  });

  it('S12: with a client certificate is taken, and one without an authority trusts the public ones', () => {
    const { access, expiresAt, issuedAt } = read({ cluster: {}, user: CLIENT });
    assert.deepEqual(access.tls, { cert: certificate, key });
    assert.deepEqual(access.headers, []);
    assert.equal(expiresAt?.toISOString(), '2120-01-01T00:00:00.000Z');
    assert.equal(issuedAt?.toISOString(), '2020-01-01T00:00:00.000Z');
  });

  it('B3: tells when its token expires, as far as the token says so', () => {
    const expiry = (token: string) => read({ user: { token } }).expiresAt?.toISOString();
    assert.equal(expiry(jwt({ exp: 1_800_000_000 })), '2027-01-15T08:00:00.000Z');
    for (const token of [jwt({}), jwt({ exp: 'soon' }), jwt({ exp: 1e300 }), 'a.b', 'a.%.c', 'a.b.c.d'])
      assert.equal(expiry(token), undefined, token);
  });

  it('B10: counts its current context, whatever else is in it', () => {
    const { access, context } = read({
      more: {
        'current-context': 'us',
        clusters: [
          { name: 'eu-cluster', cluster: { server: 'http://other', 'insecure-skip-tls-verify': true } },
          { name: 'us-cluster', cluster: { server: 'https://us.example.com/k8s/clusters/c-1/' } },
        ],
        users: [
          { name: 'program', user: { exec: { command: MARK } } },
          { name: 'deployer', user: TOKEN },
        ],
        contexts: [
          { name: 'eu', context: { cluster: 'eu-cluster', user: 'program' } },
          { name: 'us', context: { cluster: 'us-cluster', user: 'deployer' } },
        ],
      },
    });
    assert.equal(access.server, 'https://us.example.com/k8s/clusters/c-1');
    assert.equal(context, 'us');
  });

  it('B7: is the same for the same address and user, and another for each part that differs', () => {
    const same = read().digest;
    assert.equal(readKubeConfig(JSON.stringify(fileOf()), WHERE).digest, same);
    const others = [
      read({ user: { token: 'other' } }),
      read({ user: CLIENT }),
      read({ cluster: {} }),
      read({ cluster: { ...CA, 'tls-server-name': 'kubernetes' } }),
      read({ cluster: { ...CA, 'proxy-url': 'http://proxy:3128' } }),
      read({ cluster: { ...CA, server: 'https://eu.example.com:6444' } }),
    ].map(({ digest }) => digest);
    assert.equal(new Set([same, ...others]).size, others.length + 1);
  });
});

describe('a kubeconfig of another cluster is refused', () => {
  const refusedUsers: [string, Record<string, unknown>, RegExp][] = [
    [
      'runs a program',
      { exec: { command: MARK } },
      /`exec` of its user "deployer".*runs no program.*ServiceAccount/,
    ],
    ['runs a program beside a token', { ...TOKEN, exec: { command: MARK } }, /`exec`/],
    [
      'has an auth-provider',
      { 'auth-provider': { name: 'gcp' } },
      /`auth-provider` of its user .*runs no program/,
    ],
    ['names a token file', { tokenFile: '/var/run/token' }, /`tokenFile`.*reads no file.*into `token`/],
    [
      'names a file with a certificate',
      { 'client-certificate': '/c.crt', 'client-key-data': base64(MARK) },
      /`client-certificate` .*into `client-certificate-data`: .*--flatten/,
    ],
    [
      'names a file with a key',
      { ...CLIENT, 'client-key': '/c.key' },
      /`client-key` .*into `client-key-data`/,
    ],
    ['has a password', { username: 'me', password: MARK }, /`username` .*no password any more/],
    ['impersonates a user', { ...TOKEN, as: 'admin' }, /`as` .*impersonates the ServiceAccounts/],
    ['impersonates groups', { ...TOKEN, 'as-groups': ['system:masters'] }, /`as-groups`/],
    ['impersonates extras', { ...TOKEN, 'as-user-extra': { a: ['b'] } }, /`as-user-extra`/],
    ['impersonates a uid', { ...TOKEN, 'as-uid': '1' }, /`as-uid`/],
    [
      'has two kinds of credentials',
      { ...TOKEN, ...CLIENT },
      /both a token and a client certificate.*keep one/,
    ],
    ['has no credentials', {}, /no credentials; use a ServiceAccount's `token`/],
    ['has empty credentials', { token: '' }, /no credentials/],
    [
      'has a key without its certificate',
      { 'client-key-data': CLIENT['client-key-data'] },
      /without `client-cer/,
    ],
    [
      'has a certificate that cannot be read',
      { ...CLIENT, 'client-certificate-data': base64(`-----BEGIN CERTIFICATE-----${MARK}`) },
      /`client-certificate-data` .*no certificate in PEM form/,
    ],
    ['has a key that is none', { ...CLIENT, 'client-key-data': base64(MARK) }, /holds no private key in PEM/],
    ['has a key that is not in base64', { ...CLIENT, 'client-key-data': key }, /is not in base64/],
    [
      'has the key of another certificate',
      {
        ...CLIENT,
        'client-key-data': base64(
          generateKeyPairSync('ec', { namedCurve: 'P-256' })
            .privateKey.export({ type: 'pkcs8', format: 'pem' })
            .toString(),
        ),
      },
      /does not belong to the certificate/,
    ],
    ['has a token with a line break', { token: `${MARK}\r\nX-Evil: 1` }, /`token` of its user .*line break/],
    ['has a field that nobody knows', { ...TOKEN, sudo: MARK }, /does not know the field `sudo` of its user/],
    [
      'has a token that is no text',
      { token: 5 },
      /`token` of its user "deployer" is missing or of another type/,
    ],
  ];
  for (const [what, user, message] of refusedUsers) {
    it(`S12: that ${what}`, () => assert.match(refusal(stringify(fileOf({ user }))).message, message));
  }

  const refusedClusters: [string, Record<string, unknown>, RegExp][] = [
    [
      'skips TLS',
      { 'insecure-skip-tls-verify': true },
      /`insecure-skip-tls-verify` of its cluster "eu-cluster"/,
    ],
    [
      'skips TLS beside an authority',
      { ...CA, 'insecure-skip-tls-verify': true },
      /`insecure-skip-tls-verify`/,
    ],
    [
      'names a file with an authority',
      { 'certificate-authority': '/ca.crt' },
      /into `certificate-authority-data`/,
    ],
    ['is of a server without TLS', { server: `http://${MARK}.example.com` }, /does not begin with https:/],
    ['is of no server', { server: MARK }, /`server` .*is no URL; write it as https/],
    ['has a password in its URL', { server: `https://me:${MARK}@eu.example.com` }, /has a user/],
    [
      'has a password of its proxy that is not encoded',
      { 'proxy-url': `http://me:100%${MARK}@proxy:3128` },
      /`proxy-url` .*is no URL of an HTTP or HTTPS proxy/,
    ],
    ['goes through a SOCKS proxy', { 'proxy-url': `socks5://${MARK}` }, /`proxy-url` .*SOCKS is not spoken/],
    ['has no name of a host', { 'tls-server-name': 'a b' }, /`tls-server-name` .*no name of a host/],
    [
      'has an authority that is none',
      { 'certificate-authority-data': base64(MARK) },
      /no certificate in PEM form/,
    ],
    ['has a field of a cluster that nobody knows', { token: MARK }, /the field `token` of its cluster/],
  ];
  for (const [what, cluster, message] of refusedClusters) {
    it(`S12: that ${what}`, () => assert.match(refusal(stringify(fileOf({ cluster }))).message, message));
  }

  const refusedFiles: [string, string, RegExp][] = [
    ['is empty', '', /no YAML or JSON of a kubeconfig/],
    ['is no YAML', `a: ${MARK}\n"b`, /no YAML or JSON of a kubeconfig \(line 2\)/],
    ['is one text', MARK, /no YAML or JSON of a kubeconfig/],
    [
      'is another object',
      stringify({ kind: 'Secret', apiVersion: 'v1' }),
      /`kind` is missing or of another type/,
    ],
    [
      'has no current context',
      stringify(fileOf({ more: { 'current-context': '' } })),
      /set current-context to .*"eu"/,
    ],
    [
      'names a context that it lacks',
      stringify(fileOf({ more: { 'current-context': 'x' } })),
      /no context "x"/,
    ],
    ['names a user that it lacks', stringify(fileOf({ more: { users: [] } })), /lists no user "deployer"/],
    ['has a key twice', `${stringify(fileOf())}users: []\n`, /no YAML or JSON/],
    ['grows by aliases', `a: &a [${MARK}]\nb: [*a, *a]\n`, /no YAML or JSON/],
    ['is too large', `${stringify(fileOf())}# ${'x'.repeat(65_536)}`, /more than 64 KiB.*--minify/],
  ];
  for (const [what, content, message] of refusedFiles) {
    it(`S12: that ${what}`, () => assert.match(refusal(content).message, message));
  }

  it('A15: without holding the event loop, however it is written', async (t) => {
    const hostile = [
      ...[190, 1_900, 60_000].flatMap((marks) => [
        `{${Array.from({ length: marks }, (_, at) => `k${at}`).join(',')}}`,
        '['.repeat(marks),
        '- '.repeat(marks),
        '? '.repeat(marks),
        'a:\n'.repeat(marks / 2),
        'a: &a [*a]\n'.repeat(marks / 4),
        `users:\n${'- name: x\n'.repeat(marks / 3 - 5)}`,
      ]),
      stringify(fileOf({ user: { token: 'x'.repeat(60_000) } })),
      stringify(fileOf({ cluster: { 'certificate-authority-data': '-'.repeat(60_000) } })),
      stringify(
        fileOf({
          cluster: { 'certificate-authority-data': base64('-----BEGIN CERTIFICATE-----'.repeat(1_700)) },
        }),
      ),
    ];
    for (const content of hostile) {
      const longest = await longestTurn(t, async () => {
        try {
          readKubeConfig(content, WHERE);
        } catch (error) {
          assert.ok(error instanceof TowpathError, String(error));
        }
      });
      assert.ok(longest < scaled(TURN_LIMIT_MS), `${content.slice(0, 20)}: ${longest} ms`);
    }
  });
});

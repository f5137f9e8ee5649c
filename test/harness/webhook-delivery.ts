import { createHmac } from 'node:crypto';

/** A request that a Git server sends. */
export interface WebhookDelivery {
  /** The path at which it is received. */
  provider: string;
  headers: Record<string, string>;
  body: string;
}

/** A repository as its server knows it. */
export interface Pushed {
  host: string;
  /** `owner/name` */
  path: string;
  sshHost?: string;
}

/** What each kind of Git server sends of a push, in its own shape, signed with a secret. */
export function webhookDeliveries(pushed: Pushed, secret: string): Record<string, WebhookDelivery> {
  const { host, path, sshHost = host } = pushed;
  const [owner = '', name = ''] = path.split('/');
  const https = `https://${host}/${path}`;
  const addresses = {
    html_url: https,
    clone_url: `${https}.git`,
    ssh_url: `git@${sshHost}:${path}.git`,
  };
  const head = { ref: 'refs/heads/main', before: '0'.repeat(40), after: '1'.repeat(40), commits: [] };
  const hex = (body: string) => createHmac('sha256', secret).update(body).digest('hex');
  const sent = (provider: string, payload: unknown, headers: (body: string) => Record<string, string>) => {
    const body = JSON.stringify(payload);
    return { provider, body, headers: { 'content-type': 'application/json', ...headers(body) } };
  };
  const github = (body: string) => ({
    'x-github-event': 'push',
    'x-hub-signature-256': `sha256=${hex(body)}`,
  });
  const githubPayload = { ...head, repository: { id: 1, full_name: path, ...addresses } };
  const form = new URLSearchParams({ payload: JSON.stringify(githubPayload) }).toString();
  return {
    GitHub: sent('github', githubPayload, github),
    'GitHub as a form': {
      provider: 'github',
      body: form,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...github(form) },
    },
    GitLab: sent(
      'gitlab',
      {
        object_kind: 'push',
        ...head,
        project: { id: 1, web_url: https, git_ssh_url: addresses.ssh_url, git_http_url: addresses.clone_url },
        repository: { name, url: addresses.ssh_url, homepage: https },
      },
      () => ({ 'x-gitlab-event': 'Push Hook', 'x-gitlab-token': secret }),
    ),
    Gitea: sent('gitea', { ...head, repository: { id: 1, full_name: path, ...addresses } }, (body) => ({
      'x-gitea-event': 'push',
      'x-gitea-signature': hex(body),
    })),
    Forgejo: sent('gitea', { ...head, repository: { id: 1, full_name: path, ...addresses } }, (body) => ({
      'x-forgejo-event': 'push',
      'x-forgejo-signature': hex(body),
    })),
    'Bitbucket Cloud': sent(
      'bitbucket',
      { push: { changes: [] }, repository: { full_name: path, links: { html: { href: https } } } },
      (body) => ({ 'x-event-key': 'repo:push', 'x-hub-signature': `sha256=${hex(body)}` }),
    ),
    'Bitbucket Data Center': sent(
      'bitbucket',
      {
        eventKey: 'repo:refs_changed',
        changes: [],
        repository: { slug: name, project: { key: owner.toUpperCase() } },
      },
      (body) => ({ 'x-event-key': 'repo:refs_changed', 'x-hub-signature': `sha256=${hex(body)}` }),
    ),
    'Azure DevOps': sent(
      'azure',
      { eventType: 'git.push', resource: { repository: { name, remoteUrl: https } } },
      () => ({ authorization: `Basic ${Buffer.from(`towpath:${secret}`).toString('base64')}` }),
    ),
    generic: sent('generic', { repository: https }, (body) => ({ 'x-signature': `sha256=${hex(body)}` })),
  };
}

/** Sends it to a receiver; returns the answer. */
export function deliver(baseUrl: string, { provider, headers, body }: WebhookDelivery): Promise<Response> {
  return fetch(`${baseUrl}/${provider}`, { method: 'POST', headers, body });
}

const HOST = 'dev.azure.com';
const FORMER_HOST = '.visualstudio.com';

/**
 * `host/path` of a repository, of which Azure DevOps has more forms than others have, in small letters:
 *
 *     dev.azure.com/org/project/_git/repo      org.visualstudio.com[/defaultcollection]/project/_git/repo
 *     [ssh.]dev.azure.com:v3/org/project/repo  vs-ssh.visualstudio.com:v3/org/project/repo
 *     org@vs-ssh.visualstudio.com/project/_ssh/repo
 *
 * Where project and repository have one name, the project may be left out; a server of one's own has that, too, and
 * `_git` and `_ssh`. All else is as it is given.
 *
 * @param user that an SSH URL names.
 * @throws URIError of a broken percent-encoding in a path of Azure's SSH.
 */
export function azureName(host: string, path: string, user = ''): string {
  const parts = path.split('/');
  if (host !== HOST && !host.endsWith(FORMER_HOST)) return `${host}/${withoutProject(parts).join('/')}`;
  // Over SSH, too, names have their white space encoded.
  const own = parts.map((part) => (part.includes('%') ? decodeURIComponent(part) : part));
  if (own.length === 4 && own[0] === 'v3' && own[2] !== '_git')
    own.splice(0, 4, ...own.slice(1, 3), '_git', own[3] ?? '');
  else if (host !== HOST) own.unshift(organizationOf(host, user));
  return `${HOST}/${withoutProject(own.filter((part) => part !== 'defaultcollection')).join('/')}`;
}

function organizationOf(host: string, user: string): string {
  const name = host.slice(0, -FORMER_HOST.length);
  return name === 'vs-ssh' ? user.toLowerCase() : name;
}

/** `…/web/_git/web` and `…/_git/web` are the same. */
function withoutProject(parts: readonly string[]): readonly string[] {
  const [mark = '', repository = ''] = parts.slice(-2);
  if (mark !== '_git' && mark !== '_ssh') return parts;
  const before = parts.slice(0, -2);
  while (before.at(-1) === repository) before.pop();
  return [...before, '_git', repository];
}

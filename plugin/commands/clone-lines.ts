import type { Clone } from '../local/clone.ts';
import { short } from '../text/application-tree.ts';
import { paint, plain, type Terminal, wrap } from '../text/terminal.ts';

/** Of so many changes each is named. */
const MOST = 10;

/** Which files were looked at, in sentences. */
function cloneLines({ root, commit, branch, changes, fetchedFrom }: Clone): string[] {
  if (fetchedFrom !== undefined) return [plain(`Commit ${short(commit)} of ${fetchedFrom}`)];
  const at = branch === undefined ? 'no branch' : `branch ${branch}`;
  const how = changes.length === 0 ? 'nothing uncommitted' : `with ${counted(changes.length)}:`;
  const lines = [`Clone ${root}, ${at}, HEAD ${short(commit)}, ${how}`].map(plain);
  for (const { path, change } of changes.slice(0, MOST)) lines.push(`  ${change} ${plain(path)}`);
  if (changes.length > MOST) lines.push(`  and ${changes.length - MOST} more`);
  return lines;
}

/** What was read, what is odd and what is not known. */
export function tellOf(
  to: Terminal,
  clone: Clone,
  { warnings, unknown }: { warnings: readonly string[]; unknown: readonly string[] },
): void {
  const lines = cloneLines(clone).flatMap((line) => wrap(line, to.width, '    '));
  const tell = (word: string, texts: readonly string[]) => {
    for (const text of texts)
      lines.push(...wrap(`${paint(to, 'yellow', `${word}:`)} ${plain(text)}`, to.width, '  '));
  };
  tell('Warning', warnings);
  tell('Unknown', unknown);
  to.write(lines.map((line) => `${line}\n`).join(''));
}

/** The same for programs. */
export function cloneJson({ root, commit, branch, changes, untracked, fetchedFrom }: Clone): object {
  if (fetchedFrom !== undefined) return { fetchedFrom, commit };
  return { directory: root, commit, branch, changes, untracked };
}

function counted(changes: number): string {
  return changes === 1 ? '1 uncommitted change' : `${changes} uncommitted changes`;
}

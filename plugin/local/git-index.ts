/**
 * What of an index nobody but Git itself can make out, and what helps.
 *
 * @see https://git-scm.com/docs/index-format
 */
export interface Unreadable {
  what: string;
  help: string;
}

const HEADER = 12;
/** Of an entry, before its flags. */
const BEFORE_FLAGS = 60;
const EXTENDED = 0x4000;
const SKIP_WORKTREE = 0x4000;
const CHECKSUM = 20;

/** Extensions whose names begin with a small letter say that what stands before them is not all. */
const EXTENSIONS: Readonly<Record<string, Unreadable>> = {
  link: {
    what: 'a split index',
    help: 'run git config core.splitIndex false and git update-index --no-split-index.',
  },
  sdir: { what: 'a sparse index', help: 'run git sparse-checkout disable.' },
};

/** Undefined where it can be read: the index itself tells, whichever setting it was made by. */
export function unreadableIn(index: Buffer): Unreadable | undefined {
  if (index.length < HEADER + CHECKSUM) return undefined;
  const version = index.readUInt32BE(4);
  if (version > 3)
    return { what: `an index of version ${version}`, help: 'run git update-index --index-version 2.' };
  const { end, skipped } = entriesIn(index);
  const extension = extensionIn(index, end);
  if (extension !== undefined) return extension;
  const [first] = skipped;
  if (first === undefined) return undefined;
  const files = skipped.length === 1 ? `a file (${first})` : `${skipped.length} files (${first}, …)`;
  return {
    what: `${files} that Git knows and leaves alone on disk (skip-worktree)`,
    help: 'run git sparse-checkout disable, or git update-index --no-skip-worktree for each.',
  };
}

/** Where the entries end, and which are not checked out. */
function entriesIn(index: Buffer): { end: number; skipped: readonly string[] } {
  const skipped: string[] = [];
  const last = index.length - CHECKSUM;
  let at = HEADER;
  for (let left = index.readUInt32BE(8); left > 0 && at + BEFORE_FLAGS + 4 <= last; left -= 1) {
    const isExtended = (index.readUInt16BE(at + BEFORE_FLAGS) & EXTENDED) !== 0;
    const name = at + BEFORE_FLAGS + (isExtended ? 4 : 2);
    const end = index.indexOf(0, name);
    if (end < 0) break;
    if (isExtended && (index.readUInt16BE(name - 2) & SKIP_WORKTREE) !== 0)
      skipped.push(index.toString('utf8', name, end));
    // Filled up with 1 to 8 NULs.
    at += Math.floor((end - at) / 8) * 8 + 8;
  }
  return { end: at, skipped };
}

function extensionIn(index: Buffer, from: number): Unreadable | undefined {
  for (let at = from; at + 8 <= index.length - CHECKSUM; at += 8 + index.readUInt32BE(at + 4)) {
    const name = index.toString('latin1', at, at + 4);
    if (!/^[A-Z]/.test(name))
      return EXTENSIONS[name] ?? { what: `an index with the extension ${name}`, help: 'make another clone.' };
  }
  return undefined;
}

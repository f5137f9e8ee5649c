const firstLine = 'version https://git-lfs.github.com/spec/v1\n';
const maxPointerBytes = 1_024;

/** Whether a file's content is only a pointer to where Git LFS keeps it (git-lfs specification, "The Pointer"). */
export function isLfsPointer(bytes: Uint8Array): boolean {
  if (bytes.length > maxPointerBytes || bytes.length < firstLine.length) return false;
  const text = Buffer.from(bytes).toString('utf8');
  return text.startsWith(firstLine) && /^oid sha256:[0-9a-f]{64}$/m.test(text) && /^size \d+$/m.test(text);
}

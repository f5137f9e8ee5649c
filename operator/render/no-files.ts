import type { RenderEntry, RenderTree } from './tree.ts';

/** The tree of a render that reads nothing of a repository: of a published chart without values files. */
export class NoFiles implements RenderTree {
  readonly revision: string;

  constructor(revision: string) {
    this.revision = revision;
  }

  async stat(): Promise<undefined> {
    return undefined;
  }

  async list(): Promise<RenderEntry[]> {
    return [];
  }

  async read(path: string): Promise<Uint8Array> {
    throw new Error(`${path} is in no repository`);
  }

  async readAll(): ReturnType<RenderTree['readAll']> {
    return { digest: '', files: [] };
  }

  async digest(): Promise<string> {
    return '';
  }
}

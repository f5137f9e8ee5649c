import { type Access, type Repository, Sources, type SourcesOptions } from '../../operator/source/sources.ts';
import { startGitHttp } from './git-http.ts';
import { createRepository, type GitRepository } from './git-repository.ts';

const HOUR = 3_600_000;

/** Asks a Git server once for its refs; why that failed, with '' for both where it did not. */
export async function pollOnce(
  access: Access,
  options: SourcesOptions = {},
): Promise<{ reason: string; message: string }> {
  const sources = new Sources({ allowLoopback: true, ...options });
  try {
    await sources.watch('test', access, HOUR, () => undefined).poll();
    return { reason: '', message: '' };
  } catch (error) {
    return error as { reason: string; message: string };
  } finally {
    await sources.stop();
  }
}

/** A repository that `write` filled on a server of its own, as the operator reads it, polled once. */
export async function watchedRepository<T>(
  t: { after(end: () => unknown): void },
  write: (git: GitRepository) => Promise<T>,
): Promise<{ written: T; git: GitRepository; url: string; repository: Repository }> {
  const git = await createRepository();
  const written = await write(git);
  const server = await startGitHttp({ root: git.root });
  t.after(() => server.stop());
  const sources = new Sources({ allowLoopback: true });
  t.after(() => sources.stop());
  const url = server.url(git.name);
  const repository = sources.watch('test', { url }, HOUR, () => undefined);
  await repository.poll();
  return { written, git, url, repository };
}

import { repositoryPath } from '../../render/renderer.ts';
import type { Overlay } from '../record/target.ts';

/** What a commit changed, by path, to be asked by many what it is to them. */
export class Touched {
  readonly #changed: ReadonlySet<string>;
  /** The directories that those are in. */
  readonly #above = new Set<string>();

  constructor(paths: readonly string[]) {
    this.#changed = new Set(paths);
    for (const path of paths)
      for (const directory of directoriesOf(path)) {
        // Nearest first: those above one that is known are known.
        if (this.#above.has(directory)) break;
        this.#above.add(directory);
      }
  }

  /** Whether something changed at a path or below it, or a directory that it is in came or went. */
  has(path: string): boolean {
    if (this.#changed.has(path) || this.#above.has(path)) return true;
    for (const directory of directoriesOf(path)) if (this.#changed.has(directory)) return true;
    return false;
  }
}

/** The directories that a path is in, nearest first, the repository's root last. */
function* directoriesOf(path: string): Iterable<string> {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) yield path.slice(0, at);
  if (path !== '') yield '';
}

/** What the spec names of the repository: whatever else is read of it, only a render can tell. */
export function placesOf({
  path,
  isPublished,
  layers,
}: Pick<Overlay, 'path' | 'isPublished' | 'layers'>): string[] {
  const files = layers.flatMap(({ valuesFiles }) => valuesFiles);
  return [...(isPublished ? [] : placeAt('', path)), ...files.flatMap((file) => placeAt(path, file))];
}

/** None where it can be no path, which is told by who would read it. */
function placeAt(base: string, path: string): string[] {
  try {
    return [repositoryPath(repositoryPath('', base), path)];
  } catch {
    return [];
  }
}

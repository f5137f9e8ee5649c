import { type ErrorDetail, TowpathError } from '../api/errors.ts';

/** A directory of another Git repository that a kustomization refers to: not checked in any way. */
export interface BaseReference {
  /** As the kustomization has it. */
  url: string;
  repository: string;
  /** Branch, tag or commit; '' where none is named. */
  ref: string;
  /** Where the files of that repository are to stand: a path that no commit has. */
  folder: string;
  /** The kustomization that names it, as messages have it. */
  file: string;
  /** The folder of the repository that this is in; '' for that of the request. */
  within: string;
}

/** A kustomization does not render without other repositories, and these are what it lacks as far as that is known. */
export class MissingBases extends TowpathError {
  readonly bases: readonly BaseReference[];

  constructor(message: string, details: readonly ErrorDetail[], bases: readonly BaseReference[]) {
    super('Person', 'RemoteBaseUnsupported', message, { details });
    this.bases = bases;
  }
}

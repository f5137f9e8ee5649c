import type { ErrorDetail, TowpathError } from '../../api/errors.ts';

/** A candidate that was refused, with every error. */
export interface Rejected {
  revision: string;
  candidate?: string;
  errors: readonly ErrorDetail[];
}

/** A candidate refused in principle: no cluster would take it. */
export class Quarantine extends Error {
  readonly rejected: Rejected;
  readonly error: TowpathError;
  /** Present where it is tried again without a change. */
  readonly retry: { attempts: number; nextAt: Date } | undefined;
  readonly refusedBy: 'Its own' | 'Another';

  constructor(
    { revision, candidate }: Omit<Rejected, 'errors'>,
    error: TowpathError,
    retry?: { attempts: number; nextAt: Date },
    /** `Another`: an environment that tells each of the errors itself. */
    refusedBy: 'Its own' | 'Another' = 'Its own',
  ) {
    super(error.message);
    this.name = 'Quarantine';
    this.error = error;
    this.retry = retry;
    this.refusedBy = refusedBy;
    this.rejected = {
      revision,
      ...(candidate === undefined ? {} : { candidate }),
      errors: refusedBy === 'Another' ? [] : errorsOf(error),
    };
  }
}

function errorsOf({ details, message }: TowpathError): readonly ErrorDetail[] {
  return details.length > 0 ? details : [{ message }];
}

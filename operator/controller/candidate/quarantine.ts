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

  constructor(
    { revision, candidate, errors }: Omit<Rejected, 'errors'> & Partial<Rejected>,
    error: TowpathError,
    retry?: { attempts: number; nextAt: Date },
  ) {
    super(error.message);
    this.name = 'Quarantine';
    this.error = error;
    this.retry = retry;
    this.rejected = {
      revision,
      ...(candidate === undefined ? {} : { candidate }),
      errors: errors ?? (error.details.length > 0 ? error.details : [{ message: error.message }]),
    };
  }
}

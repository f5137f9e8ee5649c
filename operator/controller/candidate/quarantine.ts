import type { ErrorDetail, TowpathError } from '../../api/errors.ts';

/**
 * What is refused in principle and says nothing of other environments: what cannot change in one environment's object
 * may be made anew in another's, and a path of its own may come with a later commit.
 */
const OF_ONE_ENVIRONMENT: ReadonlySet<string> = new Set(['ImmutableField', 'EnvironmentPathNotFound']);

/** Whether what one environment refuses for that reason keeps a candidate from no other. */
export function isOfOneEnvironment(reason: string): boolean {
  return OF_ONE_ENVIRONMENT.has(reason);
}

/** A candidate that was refused, with every error. */
export interface Rejected {
  revision: string;
  candidate?: string;
  /** Its errors say nothing of other environments. */
  alone?: true;
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
    { revision, candidate }: Omit<Rejected, 'errors' | 'alone'>,
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
      ...(isOfOneEnvironment(error.reason) ? { alone: true } : {}),
      errors: refusedBy === 'Another' ? [] : errorsOf(error),
    };
  }
}

function errorsOf({ details, message }: TowpathError): readonly ErrorDetail[] {
  return details.length > 0 ? details : [{ message }];
}

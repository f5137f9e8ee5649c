/** How a command ended, for scripts; docs/plugin.md lists them. */
export const EXIT = {
  Done: 0,
  /** The cluster, kubectl or a name said no. */
  Error: 1,
  /** The command line is wrong. */
  Usage: 2,
  /** What was waited for did not come in time. */
  TimedOut: 3,
  /** The deployment that was asked about failed, and is not tried again by itself. */
  Failed: 4,
  /** The commit that was asked about was refused before its first write, or what is in the clone would be. */
  Quarantined: 5,
  /** A newer one took its place before it was healthy. */
  Superseded: 6,
  /** No operator looks after Applications. */
  NobodyLeads: 7,
  /** It is suspended: nothing will be done before it is resumed. */
  Suspended: 8,
  /** A sync of what is in the clone would change something. */
  Differs: 9,
  /** Nothing that could be seen differs; of something the user's rights, or the cluster, did not tell. */
  Unknown: 10,
  /** Nothing waits for that decision, or it was made. */
  NotAwaited: 11,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a command says when it cannot go on: a sentence with the next step. */
export class CommandError extends Error {
  readonly code: ExitCode;

  constructor(message: string, code: ExitCode = EXIT.Error) {
    super(message);
    this.code = code;
    this.name = 'CommandError';
  }
}

/**
 * Every error that reaches a user is one of these. What helps is part of the error, so that only `settle`
 * turns errors into conditions:
 *
 * - `Person`: will not get further without a change by a person (condition Stalled),
 * - `Resource`: another resource decides, and it is watched (condition Reconciling),
 * - `Time`: tried again, with backoff (condition Reconciling).
 */
export type Remedy = 'Person' | 'Resource' | 'Time';

/** What a limit ended may have had bad luck: a machine under load, memory that others took. */
export const ENDED_BY_LIMITS: ReadonlySet<string> = new Set([
  'RenderTimeout',
  'RenderOutOfMemory',
  'EngineEnded',
  'WorkFailed',
]);

/** An object that an error is about; `namespace` is '' for an object outside namespaces. */
export interface ErrorObject {
  group: string;
  kind: string;
  namespace: string;
  name: string;
}

/** One of several errors of a candidate: where it is, as far as known, and a sentence. */
export interface ErrorDetail {
  object?: ErrorObject;
  /** Path within the repository. */
  file?: string;
  /** Counted from 1. */
  line?: number;
  message: string;
}

/** An error told to the user: a stable CamelCase reason and a sentence with object, cause and next step. */
export class TowpathError extends Error {
  readonly reason: string;
  readonly remedy: Remedy;
  /** All errors found, where one message cannot list them. */
  readonly details: readonly ErrorDetail[];
  /** The end of the message that names the next step, where it is known: it stays when the message is shortened. */
  readonly next: string;
  /** More than a message has room for, such as YAML to apply: told by the event. */
  readonly advice: string;

  constructor(
    remedy: Remedy,
    reason: string,
    message: string,
    options: { cause?: unknown; details?: readonly ErrorDetail[]; next?: string; advice?: string } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'TowpathError';
    this.remedy = remedy;
    this.reason = reason;
    this.details = options.details ?? [];
    this.next = options.next ?? '';
    this.advice = options.advice ?? '';
  }
}

/** A line that the operator logs about an Application. */
export interface ApplicationLine {
  /** A fixed sentence. */
  says: string;
  /** When it is logged. */
  when: string;
  fields: readonly LogField[];
}

/** What the fields of these lines hold: identifiers and numbers, so that no value of a Secret is among them (S5). */
export const LOG_FIELDS = {
  environment: 'The environment; so far each Application has one, `default`.',
  deployment: "The deployment's number, as in the history.",
  revision: 'The commit.',
  candidate: 'The candidate, `c-` and 12 digits; absent where nothing could be rendered.',
  trigger: 'What asked for it: `Commit`, `Spec` or `Manual`.',
  promotion: 'The Promotion of a person that asked for it.',
  by: 'Who that is.',
  skipped: 'Gates that it passed by, separated by commas.',
  outcome: '`Succeeded`, `Failed`, `Superseded`, `RolledBack` or `Cancelled`.',
  seconds: 'From its first write to its end.',
  reason: 'A [reason](reasons.md).',
  errors: 'How many errors it has, also where the status has no room for all.',
  object: 'The object, or the first of them: kind, namespace and name.',
  objects: 'How many objects.',
  namespaces: 'Where they are, separated by commas; `-` for objects that stand in none.',
  why: '`Abandoned`: annotated `towpath.dev/abandon`. `Leaving`: the namespace of the Application, or the definition of Applications, is being deleted.',
  digest: 'What `towpath.dev/prune-consent` has to name: `sha256:` and 64 digits.',
} as const;

export type LogField = keyof typeof LOG_FIELDS;

/** Every line at level info that is about an Application; the reference is generated from here. */
export const APPLICATION_LINES = {
  begun: {
    says: 'A deployment began.',
    when: 'A new deployment wrote its first object, or is about to.',
    fields: ['environment', 'deployment', 'revision', 'candidate', 'trigger', 'promotion', 'by', 'skipped'],
  },
  takenUp: {
    says: 'A deployment is taken up.',
    when: 'One under way was begun by an earlier process, and goes on in this one.',
    fields: ['environment', 'deployment', 'revision', 'candidate', 'trigger', 'promotion', 'by', 'skipped'],
  },
  ended: {
    says: 'A deployment ended.',
    when: 'It succeeded, failed, or was overtaken.',
    fields: ['environment', 'deployment', 'revision', 'candidate', 'trigger', 'outcome', 'seconds'],
  },
  quarantined: {
    says: 'A candidate is quarantined.',
    when: 'A commit cannot run: nothing of it was written, and what ran before runs on.',
    fields: ['environment', 'revision', 'candidate', 'reason', 'errors'],
  },
  repaired: {
    says: 'Drift was repaired.',
    when: 'Objects that somebody changed were put back to what Git says.',
    fields: ['environment', 'object', 'objects'],
  },
  pruned: {
    says: 'Objects that left Git were deleted.',
    when: 'Objects were pruned.',
    fields: ['environment', 'object', 'objects'],
  },
  held: {
    says: 'Pruning waits for consent.',
    when: 'A commit would delete everything.',
    fields: ['environment', 'objects', 'digest'],
  },
  suspended: { says: 'The Application is suspended.', when: '`spec.suspend` became true.', fields: [] },
  resumed: { says: 'The Application is resumed.', when: '`spec.suspend` became false.', fields: [] },
  sourceFailing: {
    says: 'The repository cannot be read.',
    when: 'The Git server is out of reach, refuses, or has not what the spec names.',
    fields: ['reason'],
  },
  sourceRecovered: {
    says: 'The repository can be read again.',
    when: 'The first look after that which could.',
    fields: [],
  },
  leftBehind: {
    says: 'Objects are left behind.',
    when: 'An environment is over, and its objects were not deleted: what is left of them runs on, and nobody looks after it.',
    fields: ['environment', 'namespaces', 'why'],
  },
  gone: {
    says: 'The Application is gone.',
    when: 'It was deleted. `objects` is how many stayed although its deletion policy is Prune.',
    fields: ['objects'],
  },
} as const satisfies Record<string, ApplicationLine>;

export type ApplicationLineName = keyof typeof APPLICATION_LINES;

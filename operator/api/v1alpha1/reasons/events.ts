/** An event on an Application, as `kubectl describe` shows it. */
export interface EventEntry {
  type: 'Normal' | 'Warning';
  /** One sentence: what happened. */
  meaning: string;
}

/** Events that are more than a change of the Ready condition, whose reasons serve as events too. */
export const EVENTS = {
  DriftRepaired: { type: 'Normal', meaning: 'A change that someone made to an object was taken back.' },
  DriftContested: {
    type: 'Warning',
    meaning: 'An object is changed and put back again and again, if slowly; told once an hour.',
  },
  DriftReported: { type: 'Warning', meaning: 'Someone changed an object, and spec.sync.drift is Report.' },
  Pruned: { type: 'Normal', meaning: 'Objects that are no longer in Git were deleted.' },
  HookDeleted: {
    type: 'Normal',
    meaning:
      'A hook had not ended when its deployment was overtaken, or its Application deleted; its object was deleted.',
  },
  Promoted: {
    type: 'Normal',
    meaning: 'What a person promoted enters; the gates that it passed by are named.',
  },
  Superseded: {
    type: 'Normal',
    meaning: 'A newer candidate took the place of one that was being applied.',
  },
  Cancelled: {
    type: 'Normal',
    meaning: 'A person took back what was being applied, or verified: it does not come back by itself.',
  },
  RolledBack: {
    type: 'Warning',
    meaning:
      'A deployment failed what a PromotionPolicy wants of it after it entered (verify), and its environment went back to what passed there last.',
  },
  LookAbandoned: {
    type: 'Warning',
    meaning:
      'A look at the Application did not end when a change interrupted it, which is a defect of Towpath: it was abandoned, and a new one goes on.',
  },
  HooksLeft: {
    type: 'Warning',
    meaning:
      "Objects were deleted from an environment without the chart's hooks for that, since its Environment does not take the Application any more, or its namespace is labelled for others.",
  },
  EnvironmentLeft: {
    type: 'Normal',
    meaning:
      'All objects of an environment that left spec.environments were deleted, released or taken over.',
  },
  Deleted: { type: 'Normal', meaning: 'All objects of the Application were deleted or released.' },
} satisfies Readonly<Record<string, EventEntry>>;

export type EventReason = keyof typeof EVENTS;

import { CLUSTER_REASONS } from './reasons/cluster.ts';
import type { ReasonEntry } from './reasons/reason.ts';
import { RENDER_REASONS } from './reasons/render.ts';
import { SOURCE_REASONS } from './reasons/source.ts';
import { TARGET_REASONS } from './reasons/target.ts';

export { EVENTS, type EventEntry, type EventReason } from './reasons/events.ts';
export type { ReasonEntry } from './reasons/reason.ts';

/** Every reason that a condition, blockedBy or an event may have; the reference is generated from here. */
export const REASON_AREAS = {
  'The Application in its cluster': TARGET_REASONS,
  'Another cluster': CLUSTER_REASONS,
  'The repository': SOURCE_REASONS,
  Rendering: RENDER_REASONS,
} as const;

export type Reason =
  | keyof typeof TARGET_REASONS
  | keyof typeof CLUSTER_REASONS
  | keyof typeof SOURCE_REASONS
  | keyof typeof RENDER_REASONS;

export const REASONS: Readonly<Record<Reason, ReasonEntry>> = {
  ...TARGET_REASONS,
  ...CLUSTER_REASONS,
  ...SOURCE_REASONS,
  ...RENDER_REASONS,
};

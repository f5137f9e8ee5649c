import type { Slices } from './event-loop-slices.ts';

/** What is told of one Application. */
export interface ApplicationState {
  namespace: string;
  name: string;
  sync: string;
  health: string;
  /** Status and reason of the condition Ready. */
  ready: string;
  reason: string;
  /** Since when Ready has its status, in seconds since 1970. */
  since: number;
  /** What its environments wait for. */
  waits: readonly Wait[];
  /** An environment for each check that is under way there. */
  checking: readonly string[];
}

/** One reason for which something new is kept out of an environment. */
export interface Wait {
  environment: string;
  reason: string;
  /** In seconds since 1970. */
  since: number;
}

const KEY = ['application_namespace', 'application'] as const;
/** Not `namespace`: that is the one of the Pod that is scraped. */
const INFO = {
  name: 'towpath_application_info',
  help: '1 for each Application, with its state; the leader tells it. `ready` and `reason` are those of the condition Ready.',
  type: 'gauge',
  labelNames: [...KEY, 'sync', 'health', 'ready', 'reason'],
} as const;
const SINCE = {
  name: 'towpath_application_ready_transition_timestamp_seconds',
  help: 'Since when the condition Ready has its status, in seconds since 1970; the leader tells it.',
  type: 'gauge',
  labelNames: KEY,
} as const;

const WAIT = ['environment', 'reason'] as const;
const WAITING = {
  name: 'towpath_waiting_applications',
  help: 'Applications of which something new is kept out of an environment, by what it waits for: the reasons of blockedBy. The leader tells it.',
  type: 'gauge',
  labelNames: WAIT,
} as const;
const OLDEST = {
  name: 'towpath_waiting_since_timestamp_seconds',
  help: 'Since when the one of them waits that has waited longest, in seconds since 1970; the leader tells it.',
  type: 'gauge',
  labelNames: WAIT,
} as const;

const CHECKING = {
  name: 'towpath_checks_running',
  help: 'Checks of PromotionPolicies and Environments that are under way, by the environment in which they run. The leader tells it.',
  type: 'gauge',
  labelNames: ['environment'],
} as const;

/** They are not in the registry: what grows with the number of Applications is written in slices, and kept nowhere. */
export const APPLICATION_METRICS = [INFO, SINCE] as const;
/** Read off all Applications alike, but never more than Environments times reasons. */
export const WAIT_METRICS = [WAITING, OLDEST, CHECKING] as const;

/** The series of all Applications, in the format of Prometheus; none of one that is gone. */
export async function applicationSeries(states: Iterable<ApplicationState>, slices: Slices): Promise<string> {
  const infos = [headOf(INFO)];
  const sinces = [headOf(SINCE)];
  for (const state of states) {
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    const key = `application_namespace="${escaped(state.namespace)}",application="${escaped(state.name)}"`;
    const { sync, health, ready, reason, since } = state;
    const labels = Object.entries({ sync, health, ready, reason }).map(
      ([label, value]) => `,${label}="${escaped(value)}"`,
    );
    infos.push(`${INFO.name}{${key}${labels.join('')}} 1`);
    sinces.push(`${SINCE.name}{${key}} ${since}`);
  }
  return [...infos, '', ...sinces, ''].join('\n');
}

/** What is waited for in all of them together, in the format of Prometheus. */
export async function waitSeries(states: Iterable<ApplicationState>, slices: Slices): Promise<string> {
  const all = new Map<string, { waiting: number; since: number }>();
  const running = new Map<string, number>();
  for (const { waits, checking } of states) {
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    for (const environment of checking) running.set(environment, (running.get(environment) ?? 0) + 1);
    for (const { environment, reason, since } of waits) {
      const key = `environment="${escaped(environment)}",reason="${escaped(reason)}"`;
      const before = all.get(key);
      all.set(key, {
        waiting: (before?.waiting ?? 0) + 1,
        since: Math.min(before?.since ?? since, since),
      });
    }
  }
  const lines = (name: string, value: (one: { waiting: number; since: number }) => number) =>
    [...all].map(([key, one]) => `${name}{${key}} ${value(one)}`);
  return [
    headOf(WAITING),
    ...lines(WAITING.name, ({ waiting }) => waiting),
    '',
    headOf(OLDEST),
    ...lines(OLDEST.name, ({ since }) => since),
    '',
    headOf(CHECKING),
    ...[...running].map(
      ([environment, count]) => `${CHECKING.name}{environment="${escaped(environment)}"} ${count}`,
    ),
    '',
  ].join('\n');
}

function headOf({ name, help, type }: { name: string; help: string; type: string }): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

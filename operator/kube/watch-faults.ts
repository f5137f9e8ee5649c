import { OngoingFault } from '../retry/ongoing-fault.ts';
import type { WatchState } from './list-watch.ts';

export interface WatchFaultsOptions {
  /** Told once of what goes wrong, until that is over or something else does. */
  warn(error: string): void;
  /** In words; default the error's own. */
  describe?(error: Error): string;
  /** After each try that failed, before `warn`: who waits for an answer has it. */
  onFailing?(): void;
}

/** What a watch's `onState` is, so that one that cannot be had is told, however often it is tried. */
export function tellingFaults({
  warn,
  describe = ({ message }) => message,
  onFailing,
}: WatchFaultsOptions): (state: WatchState) => void {
  const fault = new OngoingFault();
  return (state) => {
    if (state.state === 'Watching') fault.end();
    if (state.state !== 'Failing') return;
    onFailing?.();
    const message = describe(state.error);
    if (fault.note(message)) warn(message);
  };
}

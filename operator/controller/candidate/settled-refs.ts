import { type BasePin, type BaseRef, basePinOf, pinnedBase } from '../record/base-pins.ts';
import { ApplicationMemory } from './application-memory.ts';

/** At which commit a ref of another repository is, in all environments of an Application. */
export interface SettledRefs {
  /** Undefined where that is open still. */
  find(base: BaseRef): BasePin | undefined;
  /** Returns what counts: what was settled first, where several looked for it at once. */
  settle(pin: BasePin): BasePin;
  /** It is one that renders. */
  confirm(pins: readonly BasePin[]): void;
  /** It does not render: where it does in no other environment, it is open again. */
  release(pins: readonly BasePin[]): void;
}

interface Settlement {
  pin: BasePin;
  isConfirmed: boolean;
}

const MOST_REFS = 100;

/**
 * Remembers at which commit each ref was, until the record has it: a branch that moves meanwhile must not make a candidate
 * in the second environment that the first does not have.
 */
export class RefMemory extends ApplicationMemory<Settlement> {
  constructor() {
    super(MOST_REFS);
  }

  /**
   * @param pins what the record of the Application has, which counts first.
   * @param revision of its source
   */
  of(application: string, pins: readonly BasePin[], revision: string): SettledRefs {
    const settled = this.ofApplication(application);
    const known = (base: BaseRef) => settled.get(keyOf(base)) ?? settled.get(keyOf({ ...base, revision }));
    return {
      find: (base) => basePinOf(pins, base, revision) ?? known(base)?.pin,
      settle: (pin) => {
        const first = settled.get(keyOf(pin));
        if (first === undefined) settled.set(keyOf(pin), { pin, isConfirmed: false });
        return first?.pin ?? pin;
      },
      confirm: (used) => {
        for (const pin of used)
          if (settled.get(keyOf(pin))?.isConfirmed !== true)
            settled.set(keyOf(pin), { pin, isConfirmed: true });
      },
      release: (used) => {
        for (const pin of used) {
          const one = settled.get(keyOf(pin));
          if (one?.isConfirmed === false && one.pin.commit === pin.commit) settled.delete(keyOf(pin));
        }
      },
    };
  }
}

function keyOf({ repository, ref, revision = '' }: BaseRef & Pick<BasePin, 'revision'>): string {
  return JSON.stringify([pinnedBase(repository), ref, revision]);
}

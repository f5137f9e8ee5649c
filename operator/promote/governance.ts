import type { Freeze } from '../api/v1alpha1/environment.ts';
import type { Gates } from '../api/v1alpha1/gates.ts';
import type { Check } from './checks.ts';
import type { VerifyRule } from './verify.ts';

/** What PromotionPolicies say of an Application in one of its environments. */
export type Governance =
  /** None selects the Application. */
  | { readonly is: 'Free' }
  | InStage
  /** One selects the Application, and has the environment in no stage; or that has a ref of its own. */
  | { readonly is: 'InNoStage'; readonly policy: string }
  /** Several select the Application: which of them holds, a person has to say. */
  | { readonly is: 'Contested'; readonly policies: readonly string[] }
  /** It cannot be known which there are; why, as a sentence goes on. */
  | { readonly is: 'Unknown'; readonly problem: string };

/** What an Environment itself demands of the stage before, whichever policy says which that is. */
export interface Demand {
  readonly soakMs?: number;
  readonly checks?: readonly Check[];
}

export interface InStage {
  readonly is: 'InStage';
  readonly policy: string;
  readonly stage: string;
  /** Of the stage, beside those of the Environment. */
  readonly gates?: Gates;
  /** Of the policy: times in which nothing new enters. */
  readonly freezes?: readonly Freeze[];
  /** The stage that it comes after, with the environments that the Application has of it. */
  readonly after?: {
    readonly stage: string;
    readonly environments: readonly string[];
    /** How long it has to be healthy there. */
    readonly soakMs?: number;
    /** What has to pass there. */
    readonly checks?: readonly Check[];
    /** What of both Environments demand themselves: this one and, in a Sequential stage, those behind it. */
    readonly demanded?: Demand;
  };
  /** The environment of the same stage that is to have it before this one. */
  readonly behind?: string;
  /** What has to become of what entered. */
  readonly verify?: VerifyRule & { readonly checks?: readonly Check[] };
  /** Another stage comes after it, or another environment of the same. */
  readonly isFollowed: boolean;
  /** The longest time for which those that come after it wait until something is healthy here for so long. */
  readonly soakedMs?: number;
  /** What is run here for stages after it. */
  readonly checks?: readonly Check[];
}

/** Those that verify what enters, as far as a policy has any now. */
export function checksToVerify(governance: Governance): readonly Check[] {
  return (governance.is === 'InStage' ? governance.verify?.checks : undefined) ?? [];
}

export const FREE: Governance = Object.freeze({ is: 'Free' });

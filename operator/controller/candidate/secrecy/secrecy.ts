import { type Application, valuesSourcesOf } from '../../../api/v1alpha1/application.ts';
import { applicationKey } from '../../record/application-key.ts';
import { Redaction } from './redaction.ts';

/** Of so many versions of an Application's Secrets the values are kept out of messages. */
const KEPT_REDACTIONS = 3;

/** What of each Application nobody is told: the values of the Secrets that go, or went, into what is wanted (S5). */
export class Secrecy {
  /** By Application, the newest first. */
  readonly #redactions = new Map<string, readonly Redaction[]>();

  /** @param secrets YAML documents whose every value is secret, as they are now. */
  learn(application: string, secrets: readonly string[]): void {
    const kept = this.#redactions.get(application) ?? [];
    // The one that there is remembers what it found in them.
    if (kept[0]?.isOf(secrets) === true) return;
    // The former ones too: what was rendered with them may still be under way.
    this.#redactions.set(application, [new Redaction(secrets), ...kept].slice(0, KEPT_REDACTIONS));
  }

  /** The same error without values of Secrets. */
  hide(application: Application, error: unknown): unknown {
    return this.#redactionsOf(application).reduce((left, redaction) => redaction.of(left), error);
  }

  /** The same of a text. */
  hideIn(application: Application, text: string): string {
    return this.#redactionsOf(application).reduce((left, redaction) => redaction.text(left), text);
  }

  forget(application: string): void {
    this.#redactions.delete(application);
  }

  #redactionsOf(application: Application): readonly Redaction[] {
    const kept = this.#redactions.get(applicationKey(application));
    if (kept !== undefined) return kept;
    const hasSecrets = valuesSourcesOf(application).some(({ kind }) => kind === 'Secret');
    return hasSecrets ? [Redaction.ofUnknown()] : [];
  }
}

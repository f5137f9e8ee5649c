import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { OngoingFault } from '../../retry/ongoing-fault.ts';

export interface AuthoritiesOptions {
  /** A file of certificates in PEM form. */
  path: string;
  /** The file has others by now: how many. */
  onChange(count: number): void;
  /** The file cannot be used as it is now, and what it had before goes on. Told once for each fault. */
  onFault(message: string): void;
  /** Default: 10 s. */
  checkMs?: number;
}

const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
/** Far beyond what a distribution brings. */
const MOST_CHARACTERS = 1024 * 1024;

/**
 * The authorities of a file, which this process trusts beside the public ones wherever nothing narrower is said: for
 * Git over HTTPS without a `ca.crt` of its own, for a proxy over HTTPS, for an API server whose kubeconfig names none.
 */
export class Authorities {
  readonly #options: AuthoritiesOptions;
  readonly #standard = getCACertificates('default');
  #text: string;
  readonly #fault = new OngoingFault();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** Throws an Error with a sentence where the file cannot be read, or holds something else. */
  constructor(options: AuthoritiesOptions) {
    this.#options = options;
    try {
      this.#text = readFileSync(options.path, 'utf8');
      this.#trust(this.#text);
    } catch (error) {
      throw new Error(this.#sentence(error));
    }
  }

  /** Reads the file again every now and then: a mounted Secret or ConfigMap that changes is a new file in place of it. */
  start(): void {
    const { checkMs = 10_000 } = this.#options;
    const next = () => {
      if (!this.#isStopped) this.#timer = setTimeout(() => void this.#check().finally(next), checkMs);
    };
    next();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #check(): Promise<void> {
    try {
      const text = await readFile(this.#options.path, 'utf8');
      if (text !== this.#text) this.#options.onChange(this.#trust(text));
      this.#text = text;
      this.#fault.end();
    } catch (error) {
      const message = this.#sentence(error);
      if (this.#fault.note(message)) this.#options.onFault(message);
    }
  }

  #trust(text: string): number {
    const certificates = certificatesIn(text);
    setDefaultCACertificates([...this.#standard, ...certificates]);
    return certificates.length;
  }

  #sentence(error: unknown): string {
    const why = error instanceof Error ? error.message : String(error);
    return `--ca-file is ${this.#options.path}, and it cannot be used: ${why}. It must be a file of certificates in PEM form.`;
  }
}

function certificatesIn(text: string): string[] {
  if (text.length > MOST_CHARACTERS) throw new Error('it is larger than 1 MiB');
  const blocks = text.split(BEGIN).slice(1);
  if (blocks.length === 0) throw new Error('it holds no certificate');
  return blocks.map((block, index) => {
    const pem = `${BEGIN}${block.slice(0, Math.max(0, block.indexOf(END)))}${END}\n`;
    try {
      return new X509Certificate(pem).toString();
    } catch {
      throw new Error(`its certificate number ${index + 1} cannot be read`);
    }
  });
}

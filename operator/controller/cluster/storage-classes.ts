import type { KubeClient } from '../../kube/client.ts';
import { isForbidden } from '../../kube/errors.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import { Refusal } from './refusal.ts';

const STORAGE_CLASSES = { group: 'storage.k8s.io', version: 'v1', plural: 'storageclasses' };

export interface StorageClassesOptions {
  client: KubeClient;
  /** A class came, changed or went. */
  onChange(): void;
}

/** The cluster's StorageClasses, watched from the moment on that somebody asks for one. */
export class StorageClasses {
  readonly #options: StorageClassesOptions;
  #watch: ListWatch<string> | undefined;
  #refusal: Refusal | undefined;

  constructor(options: StorageClassesOptions) {
    this.#options = options;
  }

  /** The class's volumeBindingMode; undefined: there is none of that name, or it is not known yet. */
  bindingMode(name: string): string | undefined {
    if (this.#refusal?.isDue() === true) this.#watch = undefined;
    this.#watch ??= this.#begin();
    return this.#watch.get('', name);
  }

  /** What the operator's account may see is other by now. */
  onRightsChanged(): void {
    if (this.#refusal !== undefined) this.#watch = this.#begin();
  }

  async stop(): Promise<void> {
    await this.#watch?.stop();
  }

  #begin(): ListWatch<string> {
    this.#refusal = undefined;
    const watch = new ListWatch<string>({
      client: this.#options.client,
      resource: STORAGE_CLASSES,
      reduce: ({ volumeBindingMode }) => (typeof volumeBindingMode === 'string' ? volumeBindingMode : ''),
      onEvent: () => this.#options.onChange(),
      onState: (state) => {
        // Without the right a claim is judged by its own status alone.
        if (state.state !== 'Failing' || !isForbidden(state.error)) return;
        this.#refusal = new Refusal();
        void watch.stop();
      },
    });
    watch.start();
    return watch;
  }
}

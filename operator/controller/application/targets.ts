import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import {
  ANNOTATION_ABANDON,
  ANNOTATION_ADOPT,
  ANNOTATION_PRUNE_CONSENT,
  ANNOTATION_SYNC_REQUESTED,
} from '../../api/v1alpha1/names.ts';
import { addressOf } from '../../manifest/digest.ts';
import { applicationKey } from '../record/application-key.ts';
import { HOME, type PlacedTarget, type Target } from '../record/target.ts';
import { requestFor } from '../target/request-annotations.ts';

/** The environment of an Application that names none. */
const DEFAULT_ENVIRONMENT = 'default';
/** The ServiceAccount of an Application that names none. The schema has no default: what was named, and what was not, differ. */
const DEFAULT_ACCOUNT = 'towpath';

export interface TargetsOptions {
  /** As --installation says it. */
  installation: string;
  /** False only with --insecure-no-impersonation. */
  impersonate: boolean;
}

type OneOrMore<Entry> = readonly [Entry, ...Entry[]];

/**
 * Which targets Applications have: the only place that computes ids, and that knows what no environments means. Whoever
 * follows an Application asks once for each change of it (application-cache.ts).
 */
export class Targets {
  readonly #options: TargetsOptions;

  constructor(options: TargetsOptions) {
    this.#options = options;
  }

  /** The targets of the Application with that key, `<namespace>/<name>`, whether it can be read or not. */
  named(application: string): OneOrMore<PlacedTarget> {
    return [Object.freeze(this.#identityOf(application, DEFAULT_ENVIRONMENT))];
  }

  /** The same with all that the Application asks for there. */
  of({ metadata, spec }: Application): OneOrMore<Target> {
    const { namespace, annotations } = metadata;
    const identity = this.#identityOf(applicationKey({ metadata }), DEFAULT_ENVIRONMENT);
    const { environment } = identity;
    const abandoned = annotations[ANNOTATION_ABANDON] ?? '';
    const target: Target = {
      ...identity,
      namespace,
      account: this.#options.impersonate
        ? { namespace, name: spec.serviceAccountName ?? DEFAULT_ACCOUNT }
        : undefined,
      overlay: Object.freeze({ path: spec.source.path, valuesFiles: spec.helm?.valuesFiles ?? [] }),
      settings: Object.freeze({
        mode: spec.sync.mode,
        prune: spec.sync.prune,
        drift: spec.sync.drift,
        adopt: annotations[ANNOTATION_ADOPT] === 'true',
        ignore: spec.sync.ignore ?? [],
        timeoutMs: parseDuration(spec.sync.timeout),
        request: requestFor(annotations[ANNOTATION_SYNC_REQUESTED], environment),
        consent: requestFor(annotations[ANNOTATION_PRUNE_CONSENT], environment),
        abandoned: abandoned.split(',').includes(environment),
      }),
    };
    return [Object.freeze(target)];
  }

  #identityOf(application: string, environment: string): PlacedTarget {
    const slash = application.indexOf('/');
    const parts = [application.slice(0, slash), application.slice(slash + 1), environment];
    const id = addressOf(JSON.stringify([this.#options.installation, ...parts]));
    return { id, name: parts.join('/'), application, environment, cluster: HOME };
  }
}

import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { ListWatch } from '../../kube/list-watch.ts';
import type { Admission } from '../../promote/gate.ts';

const resource = (plural: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', plural });
const POLICIES = resource('validatingadmissionpolicies');
const BINDINGS = resource('validatingadmissionpolicybindings');

/** What of a policy or a binding counts. */
interface Proof {
  readonly since: Date;
  readonly denies: boolean;
}

/**
 * Whether the API server proves who makes an object: the policy of that name, and the binding of the same name that has
 * it deny, everywhere. Objects from before are nobody's word.
 */
export class AdmissionProof {
  readonly #name: string;
  readonly #policy: ListWatch<Proof>;
  readonly #binding: ListWatch<Proof>;
  readonly #found = new Map<'policy' | 'binding', Proof>();
  readonly #answered = new Set<'policy' | 'binding'>();
  readonly #onChange: () => void;

  constructor({ client, name, onChange }: { client: KubeClient; name: string; onChange(): void }) {
    this.#name = name;
    this.#onChange = onChange;
    this.#policy = this.#watch(client, 'policy');
    this.#binding = this.#watch(client, 'binding');
  }

  start(): void {
    this.#policy.start();
    this.#binding.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#policy.stop(), this.#binding.stop()]);
  }

  /** Whether both were listed, or cannot be. */
  get hasAnswered(): boolean {
    return this.#answered.size === 2;
  }

  get state(): Admission {
    const unseen = [this.#policy, this.#binding].find(({ synced }) => !synced);
    if (unseen !== undefined)
      return { is: 'Unknown', why: unseen.lastError?.message ?? 'the admission policy is not listed yet' };
    const stale = this.#policy.stale ?? this.#binding.stale;
    if (stale !== undefined) return { is: 'Unknown', why: stale.message };
    const [policy, binding] = [this.#found.get('policy'), this.#found.get('binding')];
    if (policy?.denies !== true) return { is: 'Missing', what: `ValidatingAdmissionPolicy ${this.#name}` };
    if (binding?.denies !== true)
      return { is: 'Missing', what: `ValidatingAdmissionPolicyBinding ${this.#name}` };
    const since = new Date(Math.max(policy.since.getTime(), binding.since.getTime()));
    return { is: 'Enforced', since };
  }

  #watch(client: KubeClient, which: 'policy' | 'binding'): ListWatch<Proof> {
    const reduce = (object: KubeObject): Proof => ({
      since: new Date(object.metadata.creationTimestamp ?? Number.NaN),
      denies: which === 'policy' ? failsClosed(object) : bindsAll(object, this.#name),
    });
    return new ListWatch<Proof>({
      client,
      resource: which === 'policy' ? POLICIES : BINDINGS,
      fieldSelector: `metadata.name=${this.#name}`,
      reduce,
      onEvent: ({ type, object }) => {
        if (type === 'Deleted') this.#found.delete(which);
        else this.#found.set(which, object);
        this.#onChange();
      },
      onListed: () => this.#hasAnswered(which),
      onStale: () => this.#onChange(),
      onState: ({ state }) => {
        if (state === 'Failing') this.#hasAnswered(which);
      },
    });
  }

  #hasAnswered(which: 'policy' | 'binding'): void {
    this.#answered.add(which);
    this.#onChange();
  }
}

function failsClosed(object: KubeObject): boolean {
  const { failurePolicy = 'Fail' } = specOf(object);
  return failurePolicy === 'Fail';
}

/** One that is narrowed to some namespaces, or only warns, proves nothing. */
function bindsAll(object: KubeObject, policy: string): boolean {
  const { policyName, validationActions, matchResources } = specOf(object);
  const denies = Array.isArray(validationActions) && validationActions.includes('Deny');
  const narrows =
    typeof matchResources === 'object' &&
    matchResources !== null &&
    ['namespaceSelector', 'objectSelector', 'resourceRules', 'excludeResourceRules'].some((field) =>
      isNarrowing(Reflect.get(matchResources, field)),
    );
  return policyName === policy && denies && !narrows;
}

/** Empty selectors, which the API server fills in, select all. */
function isNarrowing(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function specOf(object: KubeObject): Record<string, unknown> {
  const spec: unknown = Reflect.get(object, 'spec');
  return typeof spec === 'object' && spec !== null ? { ...spec } : {};
}

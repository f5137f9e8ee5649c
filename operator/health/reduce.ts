/** A live object as the API server sends it, as far as this room reads it. */
export interface LiveObject {
  apiVersion: string;
  kind: string;
  metadata: { generation?: number; deletionTimestamp?: string; annotations?: Record<string, string> };
  spec?: unknown;
  status?: unknown;
}

/** A condition, without what health does not ask for. */
export interface ReducedCondition {
  status: string;
  reason?: string;
  /** Cut to 256 characters. */
  message?: string;
  observedGeneration?: number;
  /** RFC 3339. */
  lastTransitionTime?: string;
}

export type Fact = string | number | boolean | ReducedCondition;

/**
 * What decides the health of one object and nothing else, so that thousands fit into memory. Plain data:
 * two that are deeply equal have the same health.
 */
export interface ReducedObject {
  group: string;
  kind: string;
  /** 0 for kinds that do not count generations. */
  generation: number;
  deleting: boolean;
  /** By path (`status.readyReplicas`), or `condition.<type>`. What the object lacks is absent. */
  facts: Readonly<Record<string, Fact>>;
}

const MESSAGE_LIMIT = 256;

/** The value at `path` (`spec.replicas`) in parsed JSON; undefined where it leads nowhere. */
export function at(value: unknown, path: string): unknown {
  let current = value;
  for (const key of path.split('.')) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Reflect.get(current, key);
  }
  return current;
}

/** The list at `path`; empty where there is none. */
export function listAt(value: unknown, path: string): readonly unknown[] {
  const list = at(value, path);
  return Array.isArray(list) ? list : [];
}

/** The scalars at `paths`. */
export function scalarFacts(object: LiveObject, paths: readonly string[]): Record<string, Fact> {
  const facts: Record<string, Fact> = {};
  for (const path of paths) {
    const value = at(object, path);
    if (typeof value === 'string') facts[path] = copied(value);
    if (typeof value === 'number' || typeof value === 'boolean') facts[path] = value;
  }
  return facts;
}

/** The conditions of `types`, as `condition.<type>`. */
export function conditionFacts(object: LiveObject, types: readonly string[]): Record<string, Fact> {
  const facts: Record<string, Fact> = {};
  for (const condition of listAt(object, 'status.conditions')) {
    const type = at(condition, 'type');
    if (typeof type !== 'string' || !types.includes(type)) continue;
    const status = at(condition, 'status');
    const reason = at(condition, 'reason');
    const message = at(condition, 'message');
    const observedGeneration = at(condition, 'observedGeneration');
    const since = at(condition, 'lastTransitionTime');
    facts[`condition.${type}`] = {
      status: typeof status === 'string' ? status : 'Unknown',
      ...(typeof reason === 'string' && reason !== '' && { reason: copied(reason) }),
      ...(typeof message === 'string' && message !== '' && { message: copied(message) }),
      ...(typeof observedGeneration === 'number' && { observedGeneration }),
      ...(typeof since === 'string' && { lastTransitionTime: copied(since) }),
    };
  }
  return facts;
}

/**
 * A text of its own. V8 keeps the whole of a long string alive for a slice of it, so a cut text is copied.
 */
function copied(text: string): string {
  return text.length <= MESSAGE_LIMIT ? text : Buffer.from(text.slice(0, MESSAGE_LIMIT)).toString();
}

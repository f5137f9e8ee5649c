/**
 * The members of a parsed value whose shape others decide (a request's body, an answer, a ConfigMap's data), each
 * to be looked at by itself; none where it is neither an object nor a list.
 */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** metav1.MicroTime: RFC 3339 with exactly six decimals; the server takes no other number of them. */
export function microTime(time: Date): string {
  return time.toISOString().replace(/Z$/, '000Z');
}

/** A time as metav1.Time has it: RFC 3339 with whole seconds. */
export function secondTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime: RFC 3339 with exactly six decimals; the server takes no other number of them. */
export function microTime(time: Date): string {
  return time.toISOString().replace(/Z$/, '000Z');
}

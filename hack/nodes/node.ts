/** By this annotation a Node is known to be simulated; others are left alone. */
export const simulatedNode = { annotation: 'test.towpath.dev/node', value: 'simulated' } as const;

/** Where the demo's Application lives. */
export const namespace = 'towpath-demo';
/** Where the operator keeps its Lease and records. */
export const operatorNamespace = 'towpath-demo-system';

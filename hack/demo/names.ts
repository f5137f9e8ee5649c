/** Where the demo's Application lives. */
export const namespace = 'towpath-demo';
/** What the demo's Environments are called: of its own, as they stand in no namespace. */
export const environmentNames = { staging: 'demo-staging', prod: 'demo-prod' } as const;
/** Where the operator keeps its Lease and records. */
export const operatorNamespace = 'towpath-demo-system';

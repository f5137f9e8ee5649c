import { z } from 'zod';

/** What is read of the metadata of a resource of ours. It is the API server's own, and no part of the CRD's schema. */
export const metadataSchema = z.object({
  name: z.string(),
  uid: z.string().default(''),
  resourceVersion: z.string().default(''),
  generation: z.int().default(0),
  creationTimestamp: z.string().exactOptional(),
  deletionTimestamp: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
});

/** An error of a schema as a sentence that begins with the field. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  let field = '';
  for (const part of issue.path) {
    field += typeof part === 'number' ? `[${part}]` : `${field === '' ? '' : '.'}${String(part)}`;
  }
  return field === '' ? issue.message : `${field}: ${issue.message}`;
}

import { z } from 'zod';
import { API_VERSION } from './names.ts';
import { metadataSchema } from './resource.ts';
import { environmentName, matches, objectName, orderedList, ruled, text } from './schema.ts';

/**
 * Of who decides so many groups are named, and none with a longer name, which no gate asks for. The chart's admission
 * policies write, and prove, as many.
 */
export const APPROVAL_LIMITS = { groups: 1_024, group: 256 } as const;

const specSchema = ruled(
  z.object({
    application: objectName('Name of the Application, in the same namespace.', 53),
    environment: environmentName('Name of the Environment.'),
    digest: ruled(
      text(71, 'SHA-256 of the manifests there, as status.environments[].desiredDigest has it.'),
      matches(
        '^sha256:[0-9a-f]{64}$',
        'must be a digest in full: sha256: and 64 hexadecimal digits, as status.environments[].desiredDigest of the Application has it',
      ),
    ),
    decision: z
      .enum(['Approve', 'Reject'])
      .meta({ description: 'Approve: one yes. Reject: these manifests are held back there.' }),
    by: text(
      256,
      'Who decides: the name by which the API server knows who makes this. It fills that in where it has mutating policies, and proves it everywhere.',
    ).min(1),
    groups: orderedList(
      text(APPROVAL_LIMITS.group, 'Name of a group.'),
      APPROVAL_LIMITS.groups,
      'Groups of who decides; only such as the API server knows are taken.',
    ).default([]),
  }),
  {
    rule: 'self == oldSelf',
    message:
      'an Approval cannot change, because others rely on it: make another one; your newest decision counts',
  },
);

const statusSchema = z.object({
  enteredAt: z.iso
    .datetime({ offset: true })
    .max(35)
    .meta({
      description:
        'When these manifests entered: what was decided of them until then is settled, and counts no more.',
    })
    .optional(),
  deployment: z
    .int()
    .min(1)
    .meta({ description: 'Which deployment that was, by its id in the history.' })
    .optional(),
});

/** One person's yes or no to exactly these manifests in one environment. */
export const approvalSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Approval'),
  metadata: metadataSchema.extend({ namespace: z.string() }),
  spec: specSchema.meta({ description: 'What is decided, and by whom.' }),
  status: statusSchema.meta({ description: 'What became of it.' }).exactOptional(),
});

export type Approval = z.output<typeof approvalSchema>;

/** Reads an object as an Approval; undefined where it is none. */
export function parseApproval(object: unknown): Approval | undefined {
  return approvalSchema.safeParse(object).data;
}

import { z } from 'zod';
import { durationField } from './duration.ts';
import { matches, namedList, ruled, text } from './schema.ts';

/** A policy has room for so many in each list, and a Pod template of so many bytes of JSON. */
export const CHECK_LIMITS = { checks: 8, templateBytes: 32_768 } as const;

const checkSchema = z.object({
  name: ruled(
    text(63, 'Name of the check.').min(1),
    matches(
      '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      'must be lower-case letters, digits and "-", beginning and ending with a letter or digit',
    ),
  ),
  job: z
    .object({
      spec: z
        .object({
          template: z.record(z.string(), z.unknown()).meta({
            description:
              'The Pod template. Without restartPolicy it is Never, and without automountServiceAccountToken its Pod has no token. TOWPATH_APPLICATION, TOWPATH_NAMESPACE, TOWPATH_ENVIRONMENT, TOWPATH_REVISION and TOWPATH_DIGEST are set in each container.',
            preserveUnknownFields: true,
            maxProperties: 16,
          }),
          backoffLimit: z
            .int()
            .min(0)
            .max(10)
            .meta({ description: 'How many Pods may fail before the check has failed.' })
            .default(0),
          activeDeadlineSeconds: z
            .int()
            .min(1)
            .max(86_400)
            .meta({
              description:
                'How long it may take. What has not ended by then has failed, if one of its containers began, and else could not run.',
            })
            .default(600),
        })
        .meta({ description: 'As in the spec of a Job.' }),
    })
    .meta({ description: 'A Job template.' }),
  validFor: durationField(
    'How long a result counts, from when it ended: 24h. What is older when all else lets something in is run again before. Without it: as long as these manifests run there.',
    '1m',
    '8760h',
  ).exactOptional(),
});

/** Jobs that have to succeed; each is run for the very manifests that run there. */
export function checksField(description: string) {
  return namedList(checkSchema, CHECK_LIMITS.checks, description).min(1).exactOptional();
}

export type CheckSpec = z.output<typeof checkSchema>;

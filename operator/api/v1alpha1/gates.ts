import { z } from 'zod';
import { checksField } from './checks.ts';
import { durationField } from './duration.ts';
import { matches, objectName, orderedList, ruled, text } from './schema.ts';

/** As a window names them; the first is the first day of the week in ISO 8601. */
export const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;

const CLOCK = '([01][0-9]|2[0-3]):[0-5][0-9]';

const windowSchema = ruled(
  z.object({
    days: orderedList(z.enum(DAYS), 7, 'On which days it begins.').min(1),
    from: ruled(
      text(5, 'When it begins, by the clock of timeZone.'),
      matches(`^${CLOCK}$`, 'must be a time of day from 00:00 to 23:59, written like 09:00'),
    ),
    until: ruled(
      text(5, 'When it ends; a time that is not after from is one of the next day.'),
      matches(`^(${CLOCK}|24:00)$`, 'must be a time of day from 00:00 to 24:00, written like 16:30'),
    ),
    timeZone: ruled(
      text(64, 'Time zone of the IANA database, such as Europe/Berlin or UTC.').min(1),
      matches(
        '^[A-Za-z0-9_+:/-]+$',
        'must be the name of a time zone: Europe/Berlin, America/New_York or UTC',
      ),
    ),
  }),
  {
    rule: 'self.from != self.until',
    message: 'from and until must differ: a whole day is from 00:00 until 24:00',
    fieldPath: '.until',
    holds: ({ from, until }) => from !== until,
  },
);

const approvalsSchema = z.object({
  required: z.int().min(1).max(16).meta({ description: 'How many persons have to approve.' }),
  groups: orderedList(
    text(256, 'Name of a group, as the API server knows it.').min(1),
    16,
    'Only who is in one of these decides. Without it: whoever may make Approvals in the namespace.',
  )
    .min(1)
    .exactOptional(),
  serviceAccounts: orderedList(
    z.object({
      namespace: objectName('Its namespace.', 63),
      name: objectName('Its name.'),
    }),
    16,
    'ServiceAccounts that decide as persons do, whatever their groups. Without it: none does. Those that Applications are deployed as can make no Approval.',
  )
    .min(1)
    .exactOptional(),
  byRequester: z
    .boolean()
    .meta({
      description:
        'Whether the yes of who asks for it by a Promotion counts, too. Without it somebody else has to say yes.',
    })
    .exactOptional(),
  validFor: durationField(
    'How long a yes counts, from when it was given: 72h. Without it: until it is used.',
    '1m',
    '8760h',
  ).exactOptional(),
});

/** What has to be the case before anything new enters: of an Environment, and of a stage of a policy alike. */
export const gatesSchema = z.object({
  soak: durationField(
    'How long it has to be healthy in each environment of the stage before, which a PromotionPolicy names and which stays on it for that time.',
    '1s',
    '720h',
  ).exactOptional(),
  checks: checksField(
    'Jobs that are run in each environment of the stage before, which a PromotionPolicy names, for what runs there, and have to succeed.',
  ),
  windows: orderedList(
    windowSchema,
    10,
    'Times in which something new may begin; any of them is enough. What has its first write goes on when one ends.',
  )
    .min(1)
    .exactOptional(),
  approvals: approvalsSchema
    .meta({
      description:
        'Persons who have to say yes to the very manifests that enter, by the kind Approval. A no of one of them holds these back.',
    })
    .exactOptional(),
});

export type Gates = z.output<typeof gatesSchema>;
export type ApprovalsGate = z.output<typeof approvalsSchema>;
export type Window = z.output<typeof windowSchema>;

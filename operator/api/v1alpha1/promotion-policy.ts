import { z } from 'zod';
import { judgedFields } from './application-status.ts';
import { checksField } from './checks.ts';
import { durationField } from './duration.ts';
import { freezeSchema } from './environment.ts';
import { gatesSchema } from './gates.ts';
import { API_VERSION } from './names.ts';
import { describeIssue, metadataSchema } from './resource.ts';
import { environmentName, matches, namedList, orderedList, ruled, text } from './schema.ts';

/** Maxima of a policy: with them its rules stay below what the API server lets a rule cost. */
export const POLICY_LIMITS = { stages: 10, environments: 32, labels: 16 } as const;

const stageName = (description: string) =>
  ruled(
    text(63, description).min(1),
    matches(
      '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      'must be lower-case letters, digits and "-", beginning and ending with a letter or digit',
    ),
  );

const stageSchema = z.object({
  name: stageName('Name of the stage.'),
  environments: orderedList(
    environmentName('Name of an Environment.'),
    POLICY_LIMITS.environments,
    'The Environments of the stage. An Application has those of them that its spec.environments names without a ref of their own.',
  ).min(1),
  after: orderedList(
    stageName('Name of a stage.'),
    1,
    'The stage before: nothing enters that has not passed it. It stands further up in the list. Without it the stage follows the source.',
  ).exactOptional(),
  rollout: z
    .enum(['Parallel', 'Sequential'])
    .meta({
      description:
        'Whether its environments get what is new at once, or each when the one before it in the list runs it, Synced and Healthy.',
    })
    .default('Parallel'),
  gates: gatesSchema
    .meta({ description: 'What has to be the case besides before anything new enters.' })
    .exactOptional(),
  verify: z
    .object({
      for: durationField(
        'How long what entered has to be healthy there, from when it is deployed. What is Degraded or Missing in that time failed, and what does not become healthy within spec.sync.timeout of the Application.',
        '1s',
        '720h',
      ).exactOptional(),
      checks: checksField(
        'Jobs that are run there for what entered, once it is deployed, Synced and Healthy, and have to succeed.',
      ),
      onFailure: z
        .enum(['Rollback', 'Keep'])
        .meta({
          description:
            'What becomes of what failed. Rollback: the environment goes back to what passed there last. Keep: it stays. Either way these manifests enter it no more, and later stages do not get them.',
        })
        .default('Rollback'),
    })
    .meta({ description: 'What has to become of what entered, before those that come after get it.' })
    .exactOptional(),
});

type Stages = readonly z.output<typeof stageSchema>[];

const stagesSchema = ruled(
  namedList(
    stageSchema,
    POLICY_LIMITS.stages,
    'The stages, in an order in which each stands behind the one that it comes after: a line, or a tree.',
  ).min(1),
  {
    rule: 'self.all(i, s, !has(s.after) || s.after.all(a, self.exists(j, t, j < i && t.name == a)))',
    message: 'after must name a stage that stands further up in spec.stages',
    holds: (stages: Stages) =>
      stages.every(({ after = [] }, index) =>
        after.every((name) => stages.slice(0, index).some((stage) => stage.name === name)),
      ),
  },
  {
    rule: 'self.all(s, !has(s.verify) || has(s.verify.for) || has(s.verify.checks))',
    message: 'verify needs for, checks or both',
    holds: (stages: Stages) =>
      stages.every(
        ({ verify }) => verify === undefined || verify.for !== undefined || verify.checks !== undefined,
      ),
  },
  {
    rule: 'self.all(s, !has(s.gates) || !has(s.gates.soak) || has(s.after))',
    message: 'gates.soak needs after: it is about the stage before',
    holds: (stages: Stages) =>
      stages.every(({ after, gates }) => gates?.soak === undefined || after !== undefined),
  },
  {
    rule: 'self.all(s, !has(s.gates) || !has(s.gates.checks) || has(s.after))',
    message: 'gates.checks needs after: they are run in the stage before',
    holds: (stages: Stages) =>
      stages.every(({ after, gates }) => gates?.checks === undefined || after !== undefined),
  },
  {
    rule: 'self.all(s, s.environments.all(e, self.map(t, t.environments.filter(x, x == e).size()).sum() == 1))',
    message: 'an environment may stand in one stage, once',
    holds: (stages: Stages) => {
      const all = stages.flatMap(({ environments }) => environments);
      return new Set(all).size === all.length;
    },
  },
);

const labelValue = text(63, 'Value of the label.');

const specSchema = z.object({
  selector: z
    .object({
      matchLabels: z
        .record(z.string(), labelValue)
        .meta({
          description: 'Labels that they have with these values.',
          maxProperties: POLICY_LIMITS.labels,
          textMap: { maxLength: 63 },
        })
        .exactOptional(),
    })
    .meta({
      description: 'The Applications of this namespace that it is for; without labels all of them.',
    }),
  stages: stagesSchema,
  freezes: orderedList(
    freezeSchema,
    64,
    'Times in which nothing new enters any of its stages. What has its first write goes on.',
  ).exactOptional(),
});

const count = (description: string) => z.int().min(0).max(1_000_000_000).meta({ description });

export const policyStatusSchema = z.object({
  ...judgedFields,
  applications: count('Applications that it is for.').optional(),
  stages: namedList(
    z.object({
      name: text(63, 'Name of the stage.').min(1),
      waiting: count('Applications of which something new waits before it.').optional(),
      blocked: count('Applications that are blocked in it.').optional(),
    }),
    POLICY_LIMITS.stages,
    'Its stages.',
  ).optional(),
});

/** The PromotionPolicy as the API server has it. */
export const promotionPolicySchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('PromotionPolicy'),
  metadata: metadataSchema,
  spec: specSchema.meta({ description: 'The rules.' }),
  status: policyStatusSchema.meta({ description: 'What is the case.' }).exactOptional(),
});

export type PromotionPolicy = z.output<typeof promotionPolicySchema>;
export type PolicyStage = z.output<typeof stageSchema>;
export type PolicyStatus = z.output<typeof policyStatusSchema>;

export type ParsedPolicy = { ok: true; policy: PromotionPolicy } | { ok: false; errors: string[] };

/** Reads an object as a PromotionPolicy; a status that cannot be read is left out. Each error begins with the field. */
export function parsePolicy(object: unknown): ParsedPolicy {
  const parsed = promotionPolicySchema.safeParse(object);
  if (parsed.success) return { ok: true, policy: parsed.data };
  const { issues } = parsed.error;
  if (issues.every(({ path }) => path[0] === 'status') && typeof object === 'object' && object !== null) {
    const { status: _, ...rest } = { status: undefined, ...object };
    return parsePolicy(rest);
  }
  return { ok: false, errors: issues.map(describeIssue) };
}

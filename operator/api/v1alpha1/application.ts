import { z } from 'zod';
import { applicationSpecSchema } from './application-spec.ts';
import {
  applicationStatusSchema,
  type conditionSchema,
  type environmentStatusSchema,
  type HEALTH_STATES,
  type historyEntrySchema,
  type SYNC_STATES,
} from './application-status.ts';
import { API_VERSION } from './names.ts';
import { describeIssue, metadataSchema } from './resource.ts';
import { ruled } from './schema.ts';

export { HEALTH_STATES, STATUS_LIMITS, SYNC_STATES } from './application-status.ts';

/** Helm's limit on release names, which an Application's name becomes. */
const NAME_LIMIT = 53;
/** Of spec.helm.values, in bytes of JSON. No CEL rule can see it; what has more is refused like a bad commit. */
export const VALUES_LIMIT = 256 * 1024;

const EFFECTIVE_RELEASE_NAME = (object: string) =>
  `(has(${object}.spec.helm) && has(${object}.spec.helm.releaseName) ? ${object}.spec.helm.releaseName : ${object}.metadata.name)`;

/**
 * The Application as the API server has it. `metadata` is the API server's own and no part of the CRD's
 * schema, which may only restrict its name.
 */
export const applicationSchema = ruled(
  z.object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal('Application'),
    metadata: metadataSchema.extend({ namespace: z.string() }),
    spec: applicationSpecSchema.meta({ description: 'What the user asks for.' }),
    status: applicationStatusSchema.meta({ description: 'What is the case.' }).exactOptional(),
  }),
  {
    rule: `self.metadata.name.size() <= ${NAME_LIMIT}`,
    message: `metadata.name must have at most ${NAME_LIMIT} characters, because it becomes the name of a Helm release`,
    holds: ({ metadata }) => metadata.name.length <= NAME_LIMIT,
  },
  {
    rule: `!has(self.spec.dependsOn) || self.spec.dependsOn.all(other, other.name != self.metadata.name)`,
    message: 'an Application cannot depend on itself: remove its own name from dependsOn',
    fieldPath: '.spec.dependsOn',
    holds: ({ metadata, spec }) => spec.dependsOn?.every((other) => other.name !== metadata.name) ?? true,
  },
  {
    rule: `!has(self.spec.environments) || !has(self.spec.serviceAccountName) || self.spec.serviceAccountName == 'towpath'`,
    message:
      'serviceAccountName is for an Application without environments: each Environment says whose rights a write has there; remove the field',
    fieldPath: '.spec.serviceAccountName',
    holds: ({ spec }) =>
      spec.environments === undefined || [undefined, 'towpath'].includes(spec.serviceAccountName),
  },
  {
    rule: `${EFFECTIVE_RELEASE_NAME('self')} == ${EFFECTIVE_RELEASE_NAME('oldSelf')}`,
    message:
      'releaseName cannot change, because objects carry it in their names: put the old value back, or delete the Application and make a new one',
    fieldPath: '.spec.helm.releaseName',
  },
);

export type Application = z.output<typeof applicationSchema>;
export type ApplicationSpec = z.output<typeof applicationSpecSchema>;
export type ApplicationStatus = z.output<typeof applicationStatusSchema>;
export type EnvironmentStatus = z.output<typeof environmentStatusSchema>;
export type HistoryEntry = z.output<typeof historyEntrySchema>;
export type Condition = z.output<typeof conditionSchema>;
export type Quarantine = NonNullable<ApplicationStatus['quarantine']>;
export type KeptObject = NonNullable<ApplicationStatus['kept']>[number];
export type IgnoreRule = NonNullable<ApplicationSpec['sync']['ignore']>[number];
export type SyncState = (typeof SYNC_STATES)[number];
export type HealthState = (typeof HEALTH_STATES)[number];
export type Outcome = NonNullable<HistoryEntry['outcome']>;
export type Trigger = HistoryEntry['trigger'];

/** All that values of an Application come from, whichever of its environments they are for. */
export function valuesSourcesOf({ spec }: Pick<Application, 'spec'>) {
  return [spec.helm, ...(spec.environments ?? [])].flatMap((layer) => layer?.valuesFrom ?? []);
}

/** What a status tells of the environment with that name. */
export function environmentOf<Environment extends Pick<EnvironmentStatus, 'name'>>(
  status: { environments?: Environment[] | undefined } | undefined,
  name: string,
): Environment | undefined {
  return status?.environments?.find((environment) => environment.name === name);
}

export type ParsedApplication = { ok: true; application: Application } | { ok: false; errors: string[] };

/**
 * Reads an object as an Application, defaults filled in (A6: one that cannot be read is reported on itself
 * and passed over). Each error is a sentence that begins with the field. A part of the status that cannot be
 * read is left out rather than refused, because no user could repair it.
 *
 * `spec.helm.values` is as JSON.parse left it: use valuesText where exact numbers matter.
 */
export function parseApplication(object: unknown): ParsedApplication {
  const parsed = applicationSchema.safeParse(object);
  if (!parsed.success) {
    const readable = withoutUnreadableStatus(object, parsed.error.issues);
    if (readable !== undefined) return parseApplication(readable);
    return { ok: false, errors: parsed.error.issues.map(describeIssue) };
  }
  return { ok: true, application: parsed.data };
}

/** `object` without the top-level status fields that `issues` name; undefined if they name none. */
function withoutUnreadableStatus(object: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const whole = z.looseObject({ status: z.unknown() }).safeParse(object);
  if (!whole.success) return undefined;
  const unreadable = issues.filter((issue) => issue.path[0] === 'status');
  if (unreadable.length === 0) return undefined;
  const status = z.record(z.string(), z.unknown()).safeParse(whole.data.status);
  const { status: _, ...rest } = whole.data;
  if (!status.success) return rest;
  const fields = new Set(unreadable.map((issue) => issue.path[1]));
  return {
    ...rest,
    status: Object.fromEntries(Object.entries(status.data).filter(([key]) => !fields.has(key))),
  };
}

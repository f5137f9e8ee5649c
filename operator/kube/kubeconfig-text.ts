import { isMap, parseDocument, visit } from 'yaml';
import { z } from 'zod';
import { TowpathError } from '../api/errors.ts';

/** Characters. A kubeconfig with a client certificate has 6 KiB; one with many contexts, or a bundle of authorities, a few times that. */
const MOST_CHARACTERS = 64 * 1024;
/** Of characters that begin or end something in YAML: each costs a few microseconds. */
const MOST_MARKS = 2_000;
const MARKS = /[,:[\]{}\n-]/g;
/** Of those that may begin something within something. */
const MOST_OPENINGS = 200;
const OPENINGS = /[[{]|-\s/g;
/** Begins a key that is a map itself, which no kubeconfig has: a few dozen of them take the parser seconds. */
const COMPLEX_KEY = /\?(?:\s|$)/;
/** Names in a kubeconfig are told in messages. */
const MOST_NAME = 128;

const absent = z.union([z.undefined(), z.null(), z.literal(''), z.literal(false), z.array(z.never())]);

/** Why a field that kubectl takes is not taken, and what to write instead. */
const refusalSchema = z.object({ why: z.string(), next: z.string() });

type Refusal = z.infer<typeof refusalSchema>;

/** Absent and empty are the same. */
function refused({ why, next }: Refusal) {
  return z
    .unknown()
    .optional()
    .refine((value) => absent.safeParse(value).success || isEmptyMap(value), { params: { why, next } });
}

function isEmptyMap(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value as Record<string, unknown>).length === 0
  );
}

const text = z.string().max(MOST_CHARACTERS);
const optionalText = text
  .nullish()
  .transform((value) => (value === null || value === '' ? undefined : value));

export const USABLE_CREDENTIALS =
  "use a ServiceAccount's `token`, or `client-certificate-data` and `client-key-data`";
const PROGRAM = { why: 'Towpath runs no program for a kubeconfig', next: USABLE_CREDENTIALS };
const FILE = (field: string) => ({
  why: 'Towpath reads no file for a kubeconfig',
  next: `put the content into \`${field}\`: \`kubectl config view --flatten --raw\``,
});
const IMPERSONATION = {
  why: 'Towpath itself impersonates the ServiceAccounts of Environments',
  next: 'give the credentials of the account that may do that',
};
const PASSWORD = { why: 'Kubernetes takes no password any more', next: USABLE_CREDENTIALS };
const INSECURE = {
  why: 'anybody could answer as that cluster',
  next: 'put the authority of its certificate into `certificate-authority-data`',
};

const clusterSchema = z.strictObject({
  server: text,
  'certificate-authority-data': optionalText,
  'certificate-authority': refused(FILE('certificate-authority-data')),
  'insecure-skip-tls-verify': refused(INSECURE),
  'proxy-url': optionalText,
  'tls-server-name': optionalText,
  'disable-compression': z.boolean().nullish(),
  extensions: z.unknown().optional(),
});

const userSchema = z.strictObject({
  token: optionalText,
  tokenFile: refused(FILE('token')),
  'client-certificate-data': optionalText,
  'client-key-data': optionalText,
  'client-certificate': refused(FILE('client-certificate-data')),
  'client-key': refused(FILE('client-key-data')),
  exec: refused(PROGRAM),
  'auth-provider': refused(PROGRAM),
  username: refused(PASSWORD),
  password: refused(PASSWORD),
  as: refused(IMPERSONATION),
  'as-uid': refused(IMPERSONATION),
  'as-groups': refused(IMPERSONATION),
  'as-user-extra': refused(IMPERSONATION),
  extensions: z.unknown().optional(),
});

const contextSchema = z.strictObject({
  cluster: text,
  user: text,
  namespace: z.unknown().optional(),
  extensions: z.unknown().optional(),
});

/** Entries that the current context does not use may say what they want. */
function entries<Field extends string>(field: Field) {
  return z
    .array(z.looseObject({ name: text }))
    .max(1_000)
    .nullish()
    .transform((list) => (list ?? []).map((entry) => ({ name: entry.name, value: entry[field] })));
}

const fileSchema = z.strictObject({
  apiVersion: z.literal('v1').nullish(),
  kind: z.literal('Config').nullish(),
  preferences: z.unknown().optional(),
  extensions: z.unknown().optional(),
  'current-context': optionalText,
  clusters: entries('cluster'),
  contexts: entries('context'),
  users: entries('user'),
});

type KubeConfigFile = z.infer<typeof fileSchema>;

export type KubeConfigUser = z.infer<typeof userSchema>;

/** What the current context of a kubeconfig names, with where each stands in it. */
export interface CurrentContext {
  context: string;
  cluster: z.infer<typeof clusterSchema>;
  clusterPlace: string;
  user: KubeConfigUser;
  userPlace: string;
}

/** Reads the text of a kubeconfig, and says of what cannot be used where it stands. */
export class KubeConfigText {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  invalid(what: string, next: string): TowpathError {
    return new TowpathError(
      'Person',
      'KubeConfigInvalid',
      `${this.#where} cannot be used: ${what}; ${next}.`,
      {
        next: `${next}.`,
      },
    );
  }

  read(content: string): CurrentContext {
    const file = this.#file(content);
    const context = this.#currentContext(file);
    const named = this.#part(contextSchema, entryOf(file.contexts, context), `context "${short(context)}"`);
    const clusterPlace = `cluster "${short(named.cluster)}"`;
    const userPlace = `user "${short(named.user)}"`;
    return {
      context: short(context),
      cluster: this.#part(clusterSchema, entryOf(file.clusters, named.cluster), clusterPlace),
      clusterPlace,
      user: this.#part(userSchema, entryOf(file.users, named.user), userPlace),
      userPlace,
    };
  }

  #file(content: string): KubeConfigFile {
    if (
      content.length > MOST_CHARACTERS ||
      countOf(MARKS, content) > MOST_MARKS ||
      countOf(OPENINGS, content) > MOST_OPENINGS
    )
      throw this.invalid(
        `it has more than ${MOST_CHARACTERS / 1024} KiB, or more than a thousand lines`,
        'keep one context with its cluster and its user, as `kubectl config view --raw --minify --flatten` prints them',
      );
    const parsed = fileSchema.safeParse(this.#yaml(content));
    if (!parsed.success) throw this.#misshaped(parsed.error, '');
    return parsed.data;
  }

  /** What a parser says of a text may quote it, so only the line is told (S5). */
  #yaml(content: string): unknown {
    const noYaml = (line?: number) =>
      this.invalid(
        `it is no YAML or JSON of a kubeconfig${line === undefined ? '' : ` (line ${line})`}`,
        'store what `kubectl config view --raw --minify --flatten` prints',
      );
    if (COMPLEX_KEY.test(content)) throw noYaml();
    try {
      // Its own check for keys that are there twice compares each with each.
      const document = parseDocument(content, { uniqueKeys: false, prettyErrors: true, logLevel: 'silent' });
      const [fault] = document.errors;
      if (fault !== undefined) throw noYaml(fault.linePos?.[0].line);
      visit(document, {
        Map: (_at, node) => {
          if (hasKeyTwice(node)) throw noYaml();
        },
      });
      if (!isMap(document.contents)) throw noYaml();
      return document.toJS({ maxAliasCount: 0 });
    } catch (error) {
      throw error instanceof TowpathError ? error : noYaml();
    }
  }

  #currentContext(file: KubeConfigFile): string {
    const current = file['current-context'];
    if (current !== undefined) return current;
    const names = file.contexts.map(({ name }) => `"${short(name)}"`).slice(0, 5);
    throw this.invalid(
      'it has no current-context',
      names.length === 0
        ? 'name a context, and list it'
        : `set current-context to one of ${names.join(', ')}`,
    );
  }

  /** What the current context uses has no field that Towpath does not know: what it means could not be kept. */
  #part<Schema extends z.ZodType>(schema: Schema, value: unknown, place: string): z.infer<Schema> {
    if (value === undefined || value === null)
      throw this.invalid(`it lists no ${place}, which its current-context uses`, 'add it');
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw this.#misshaped(parsed.error, place);
    return parsed.data;
  }

  #misshaped(error: z.ZodError, place: string): TowpathError {
    const [issue] = error.issues;
    const inPlace = place === '' ? '' : ` of its ${place}`;
    if (issue === undefined) return this.invalid('it is no kubeconfig', 'write it anew');
    if (issue.code === 'unrecognized_keys')
      return this.invalid(
        `Towpath does not know the field \`${short(issue.keys[0] ?? '')}\`${inPlace}`,
        'remove it',
      );
    const field = issue.path.map((part) => short(String(part))).join('.');
    const { success, data } = refusalSchema.safeParse(issue.code === 'custom' ? issue.params : undefined);
    if (success) return this.invalid(`\`${field}\`${inPlace} is not taken: ${data.why}`, data.next);
    return this.invalid(
      field === ''
        ? `the entry${inPlace} is of another shape`
        : `\`${field}\`${inPlace} is missing or of another type`,
      'correct it',
    );
  }
}

function countOf(pattern: RegExp, content: string): number {
  return content.match(pattern)?.length ?? 0;
}

function hasKeyTwice(node: { items: readonly { key: unknown }[] }): boolean {
  const keys = node.items.map(({ key }) => String(key));
  return new Set(keys).size < keys.length;
}

function entryOf(list: readonly { name: string; value: unknown }[], name: string): unknown {
  return list.find((entry) => entry.name === name)?.value;
}

/** A name as a message may tell it. */
function short(name: string): string {
  const printable = name.slice(0, MOST_NAME).replaceAll(/[^\x20-\x7e]/g, '?');
  return name.length > MOST_NAME ? `${printable}…` : printable;
}

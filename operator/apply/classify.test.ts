import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../api/errors.ts';
import { jsonBytes } from '../api/v1alpha1/bound-status.ts';
import { REASONS } from '../api/v1alpha1/reasons.ts';
import { ApiError, NotLeaderError, UnreachableError } from '../kube/errors.ts';
import { errorFromStatus } from '../kube/refusal.ts';
import { classify } from './classify.ts';
import { isImmutable } from './refused-change.ts';

const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' };
const status = (code: number, reason: string, message: string, details: object = {}, plural = 'configmaps') =>
  errorFromStatus({ code, reason, message, details }, code, { plural });

/** A refusal as the API server makes it of one wrong field. */
const invalid = (kind: string, field: string, reason: string, message: string) =>
  status(422, 'Invalid', `${kind} "web" is invalid: ${field}: ${message}`, {
    causes: [{ field, reason, message }],
  });

/** What kube-apiserver 1.37 answers, and what it means. */
const answers: [what: string, error: unknown, verdict: string, reason: string][] = [
  [
    'an invalid value',
    status(422, 'Invalid', 'ConfigMap "web" is invalid: data: Invalid value'),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a field twice',
    status(400, 'BadRequest', 'strict decoding error: duplicate field "a"'),
    'Principle',
    'ManifestInvalid',
  ],
  ['too large', status(413, 'RequestEntityTooLarge', 'limit is 3145728'), 'Principle', 'ManifestInvalid'],
  [
    'an unknown field in an apply',
    errorFromStatus(
      {
        code: 500,
        message:
          'failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.x: field not declared in schema',
      },
      500,
      { plural: 'deployments' },
    ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'an immutable field',
    invalid('Deployment.apps', 'spec.selector', 'FieldValueInvalid', 'Invalid value: {}: field is immutable'),
    'Principle',
    'ImmutableField',
  ],
  [
    'a StatefulSet',
    invalid(
      'StatefulSet.apps',
      'spec',
      'FieldValueForbidden',
      "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
    ),
    'Principle',
    'ImmutableField',
  ],
  [
    'a role of a binding',
    invalid(
      'RoleBinding.rbac.authorization.k8s.io',
      'roleRef',
      'FieldValueInvalid',
      'Invalid value: {}: cannot change roleRef',
    ),
    'Principle',
    'ImmutableField',
  ],
  [
    'no right',
    status(403, 'Forbidden', 'configmaps "web" is forbidden: User "x" cannot patch resource "configmaps"'),
    'State',
    'Forbidden',
  ],
  [
    'quota',
    status(403, 'Forbidden', 'pods "web" is forbidden: exceeded quota: q, requested: pods=1'),
    'State',
    'QuotaExceeded',
  ],
  [
    'quota without a request',
    status(403, 'Forbidden', 'pods "web" is forbidden: failed quota: q: must specify cpu'),
    'State',
    'QuotaExceeded',
  ],
  [
    'a Pod that PodSecurity refuses',
    status(
      403,
      'Forbidden',
      'pods "web" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
    ),
    'State',
    'AdmissionDenied',
  ],
  [
    'a role with more rights than its maker has',
    status(
      403,
      'Forbidden',
      'roles "x" is forbidden: user "y" (groups=[]) is attempting to grant RBAC permissions',
    ),
    'State',
    'Forbidden',
  ],
  [
    'a namespace that goes',
    status(
      403,
      'Forbidden',
      'unable to create new content in namespace shop because it is being terminated',
      {
        causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }],
      },
    ),
    'State',
    'NamespaceTerminating',
  ],
  [
    'no namespace',
    status(404, 'NotFound', 'namespaces "shop" not found', { name: 'shop', kind: 'namespaces' }),
    'State',
    'NamespaceMissing',
  ],
  [
    'no kind',
    status(404, 'NotFound', 'the server could not find the requested resource'),
    'State',
    'KindMissing',
  ],
  [
    'gone meanwhile',
    status(404, 'NotFound', 'configmaps "web" not found', { name: 'web', kind: 'configmaps' }),
    'State',
    'Conflict',
  ],
  ['changed meanwhile', status(409, 'Conflict', 'the object has been modified'), 'State', 'Conflict'],
  [
    'another field manager',
    status(409, 'Conflict', 'Apply failed with 1 conflict', {
      causes: [{ reason: 'FieldManagerConflict', field: '.data.a', message: 'conflict with "m1"' }],
    }),
    'State',
    'FieldManagerConflict',
  ],
  [
    'a policy',
    status(
      422,
      'Invalid',
      "configmaps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
    ),
    'State',
    'AdmissionDenied',
  ],
  [
    'a webhook that denies',
    status(400, 'BadRequest', 'admission webhook "w.example.com" denied the request: no'),
    'State',
    'AdmissionDenied',
  ],
  ...[401, 404, 409, 410, 422, 429, 500, 503].map((code): (typeof answers)[number] => [
    `a webhook that denies with ${code}`,
    status(code, '', 'admission webhook "w.example.com" denied the request: no'),
    'State',
    'AdmissionDenied',
  ]),
  [
    'a value whose last words are those of another refusal',
    invalid(
      'CronJob.batch',
      'spec.timeZone',
      'FieldValueInvalid',
      'Invalid value: "Mars: field is immutable": unknown time zone Mars: field is immutable',
    ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a webhook that is down',
    status(500, 'InternalError', 'Internal error occurred: failed calling webhook "w": connection refused'),
    'Undecided',
    'WebhookUnavailable',
  ],
  [
    'a webhook that takes no dry-run',
    status(400, 'BadRequest', 'admission webhook "w" does not support dry run'),
    'Undecided',
    'WebhookUnavailable',
  ],
  [
    'no nodePort is left',
    status(500, 'InternalError', 'Internal error occurred: failed to allocate a nodePort: range is full'),
    'State',
    'AlreadyAllocated',
  ],
  [
    'no serviceIP is left',
    status(500, 'InternalError', 'Internal error occurred: failed to allocate a serviceIP: range is full'),
    'State',
    'AlreadyAllocated',
  ],
  [
    'another PriorityClass is the default',
    status(
      403,
      'Forbidden',
      'priorityclasses.scheduling.k8s.io "new" is forbidden: PriorityClass old is already marked as default. Only one default can exist',
    ),
    'State',
    'AlreadyAllocated',
  ],
  ['too many requests', status(429, 'TooManyRequests', 'too many requests'), 'State', 'ClusterUnreachable'],
  ['an error of the server', status(503, 'ServiceUnavailable', 'etcd'), 'State', 'ClusterUnreachable'],
  ['a token that ran out', status(401, 'Unauthorized', 'Unauthorized'), 'State', 'ClusterUnreachable'],
  ['no answer', new UnreachableError('ECONNREFUSED', 'connect ECONNREFUSED'), 'State', 'ClusterUnreachable'],
  ['something else', status(405, 'MethodNotAllowed', 'no'), 'State', 'ApplyFailed'],
  ['our own refusal', new TowpathError('Person', 'NotOwned', 'x'), 'State', 'NotOwned'],
  ['our own validation', new TowpathError('Person', 'ManifestInvalid', 'x'), 'Principle', 'ManifestInvalid'],
];

for (const [what, error, verdict, reason] of answers) {
  test(`${what}: ${verdict}, ${reason}`, () => {
    const refusal = classify(error, 'apply', object);
    assert.deepEqual([refusal.verdict, refusal.error.reason], [verdict, reason]);
    assert.ok(Object.hasOwn(REASONS, reason), 'the reason is documented');
  });
}

test('the message names what was done to what, the cause and the next step', () => {
  const { error } = classify(status(422, 'Invalid', 'data: Invalid value'), 'dry-run of', object);
  assert.equal(error.message, 'dry-run of ConfigMap shop/web: data: Invalid value. Correct it in Git.');
});

for (const [what, said, told] of [
  [
    'an echoed object',
    `Job.batch "web" is invalid: spec.template: Invalid value: {"metadata":{"labels":{"a":"b"}},"spec":{"c":[{"d":"${'x'.repeat(900)}"}]}}: field is immutable`,
    'spec.template: field is immutable.',
  ],
  [
    'two echoed objects, as Go writes them',
    'spec.a: Invalid value: core.A{B:map[string]string{"c":"d"}}: may not change in an update, spec.e: Invalid value: v1.E{F:(*int)(nil)}: field is immutable',
    'spec.a: may not change in an update, spec.e: field is immutable.',
  ],
  [
    'a value of several lines beside another error',
    'failed to create typed patch object (/web; v1, Kind=ConfigMap): errors:\n  .immutable: expected boolean, got &{no}\n  .data: expected map, got &{b\na: 1}',
    '.data: expected map, got b; a: 1; .immutable: expected boolean, got no.',
  ],
  [
    'several lines, in one order',
    'failed to create typed patch object (/web; v1, Kind=ConfigMap): errors:\n  .immutable: expected boolean, got &{no}\n  .data: expected map, got &{3}',
    '.data: expected map, got 3; .immutable: expected boolean, got no.',
  ],
  [
    'a value as the API server holds it',
    'failed to create typed patch object (/web; v1, Kind=ConfigMap): .data.on: expected string, got &value.valueUnstructured{Value:true}',
    '.data.on: expected string, got true.',
  ],
  [
    'several unknown fields',
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "a", unknown field "b"',
    'unknown field "a", unknown field "b".',
  ],
  [
    "the name of a trial, and the object's own",
    'ConfigMap "web-towpath-dry-run" is invalid: data: Invalid value: "no": is bad',
    'data: Invalid value: "no": is bad.',
  ],
] as const) {
  test(`what the API server says is told on one line and with the next step: ${what}`, () => {
    const { error } = classify(status(422, 'Invalid', said), 'dry-run of', object);
    const begin = `dry-run of ConfigMap shop/web: ${told} `;
    assert.ok(error.message.startsWith(begin), error.message);
    assert.match(error.message.slice(begin.length), /^(Correct it in Git|Put the old value back)/);
    assert.ok(Buffer.byteLength(error.message) < 256);
    assert.ok(error.details[0]?.message.startsWith(told), 'each error by itself, too');
  });
}

test('words that have no end leave room for the next step', () => {
  const { error } = classify(status(422, 'Invalid', 'a "b" '.repeat(500)), 'dry-run of', object);
  assert.match(error.message, /^dry-run of ConfigMap shop\/web: a "b" a .*… Correct it in Git\.$/);
  assert.ok(jsonBytes(error.message) <= 256);
});

test('S5: a detail has the identity of the object and nothing of its content', () => {
  const manifest = { ...object, apiVersion: 'v1', text: 's3cret', digest: '', annotations: {} };
  const { error } = classify(status(422, 'Invalid', 'data: Invalid value'), 'apply', manifest);
  assert.deepEqual(error.details[0]?.object, object);
});

test('a write without the Lease is nobody’s refusal', () => {
  assert.throws(() => classify(new NotLeaderError(), 'apply', object), NotLeaderError);
});

test('immutable fields of a Secret are told apart though their words are not shown', () => {
  const refused = (causes: object[]) =>
    status(
      422,
      'Invalid',
      'Secret "web" is invalid: type: Invalid value: "x": field is immutable',
      { kind: 'Secret', causes },
      'secrets',
    );
  for (const [causes, expected] of [
    [[{ field: 'type', reason: 'FieldValueInvalid', message: 'field is immutable' }], true],
    [
      [
        {
          field: 'data',
          reason: 'FieldValueForbidden',
          message: 'field is immutable when `immutable` is set',
        },
      ],
      true,
    ],
    [[{ field: 'data[.dockerconfigjson]', reason: 'FieldValueRequired', message: '' }], false],
    [[{ field: 'data', reason: 'FieldValueTooLong', message: '' }], false],
  ] as const) {
    assert.equal(isImmutable(refused([...causes])), expected, JSON.stringify(causes));
  }
});

test('a field that is forbidden from the start is not taken for an immutable one', () => {
  assert.equal(
    isImmutable(new ApiError(422, 'Invalid', 'spec.clusterIPs: Forbidden: may not be set')),
    false,
  );
});

test('a CustomResourceDefinition is not recommended to be made anew', () => {
  const definition = {
    group: 'apiextensions.k8s.io',
    kind: 'CustomResourceDefinition',
    namespace: '',
    name: 'a.b',
  };
  const refused = invalid(
    'CustomResourceDefinition.apiextensions.k8s.io',
    'spec.scope',
    'FieldValueInvalid',
    'Invalid value: "Cluster": field is immutable',
  );
  const { error } = classify(refused, 'dry-run of', definition);
  assert.equal(error.reason, 'ImmutableField');
  assert.match(
    error.message,
    /Put the old value back: made anew, it would take all objects of its kind with it/,
  );
  assert.ok(!error.message.includes('replace'));
});

/** Words by which a verdict was once found, as a tenant may put them into a value, a key or a name. */
const HOSTILE = [
  'failed calling webhook "w"',
  'Internal error occurred: failed calling webhook "w": refused',
  'admission webhook "w" denied the request: no',
  'admission webhook "w" does not support dry run',
  "configmaps 'x' is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
  'pods "x" is forbidden: exceeded quota: q',
  '" is forbidden: exceeded quota: q',
  'x" is forbidden: failed quota: q',
  'field is immutable',
  ': field is immutable',
  'updates to a are forbidden',
  'Forbidden: may not be changed in an update',
  'namespaces "shop" not found',
  'provided port is already allocated',
  'strict decoding error: x',
  'field can not be less than status.capacity',
];

/** Each place at which the API server repeats what it was sent, and the verdict without that. */
const places: readonly [what: string, of: (value: string) => unknown, verdict: string, reason: string][] = [
  [
    'a value that is refused',
    (value) =>
      invalid('ConfigMap', 'data.a', 'FieldValueInvalid', `Invalid value: ${JSON.stringify(value)}: no`),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'the key of a value that is refused',
    (value) => invalid('ConfigMap', `data[${value}]`, 'FieldValueInvalid', 'Invalid value: "a": no'),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a value that is none of those supported',
    (value) =>
      invalid(
        'Pod',
        'spec.a',
        'FieldValueNotSupported',
        `Unsupported value: ${JSON.stringify(value)}: supported values: "b"`,
      ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a value that stands twice',
    (value) => invalid('Pod', 'spec.a', 'FieldValueDuplicate', `Duplicate value: ${JSON.stringify(value)}`),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a value of a Secret',
    (value) =>
      status(
        422,
        'Invalid',
        `Secret "web" is invalid: data: Invalid value: ${JSON.stringify(value)}: no`,
        {
          kind: 'Secret',
          causes: [
            {
              field: 'data[a]',
              reason: 'FieldValueInvalid',
              message: `Invalid value: ${JSON.stringify(value)}: no`,
            },
          ],
        },
        'secrets',
      ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a field that nobody knows',
    (value) =>
      status(
        400,
        'BadRequest',
        `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field ${JSON.stringify(value)}`,
      ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'a value of a wrong type',
    (value) =>
      status(
        500,
        '',
        `failed to create typed patch object (/web; v1, Kind=ConfigMap): .data: expected map, got &{${value}}`,
      ),
    'Principle',
    'ManifestInvalid',
  ],
  [
    'what a policy says',
    (value) =>
      status(
        422,
        'Invalid',
        `configmaps "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ${value}`,
      ),
    'State',
    'AdmissionDenied',
  ],
  [
    'what a webhook says',
    (value) => status(403, 'Forbidden', `admission webhook "w" denied the request: ${value}`),
    'State',
    'AdmissionDenied',
  ],
  [
    'what admission repeats',
    (value) =>
      status(
        403,
        'Forbidden',
        `pods "web" is forbidden: violates PodSecurity: container ${JSON.stringify(value)}`,
      ),
    'State',
    'AdmissionDenied',
  ],
  [
    'a name',
    (value) =>
      status(403, 'Forbidden', `configmaps ${JSON.stringify(value)} is forbidden: User "u" cannot patch`),
    'State',
    'Forbidden',
  ],
  [
    'the name of an object that is gone',
    (value) =>
      status(404, 'NotFound', `configmaps ${JSON.stringify(value)} not found`, {
        name: 'web',
        kind: 'configmaps',
      }),
    'State',
    'Conflict',
  ],
  [
    'an error of the API server',
    (value) => status(500, 'InternalError', `Internal error occurred: ${JSON.stringify(value)}`),
    'State',
    'ClusterUnreachable',
  ],
  [
    'a field of another manager',
    (value) =>
      status(409, 'Conflict', `Apply failed with 1 conflict: ${value}`, {
        causes: [
          {
            reason: 'FieldManagerConflict',
            field: `.data.${value}`,
            message: `conflict with ${JSON.stringify(value)}`,
          },
        ],
      }),
    'State',
    'FieldManagerConflict',
  ],
];

for (const [what, of, verdict, reason] of places) {
  test(`what a tenant wrote changes no verdict: ${what}`, () => {
    for (const value of HOSTILE) {
      const refusal = classify(of(value), 'apply', object);
      assert.deepEqual([refusal.verdict, refusal.error.reason], [verdict, reason], value);
    }
  });
}

test('S5: of a Secret it is told who refused it, and nothing else', () => {
  for (const [said, told] of [
    [
      'Internal error occurred: failed calling webhook "w": got s3cret',
      /failed calling webhook "w"; values are/,
    ],
    [
      'admission webhook "w" denied the request: s3cret',
      /admission webhook "w" denied the request; values are/,
    ],
    [
      "secrets \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: s3cret",
      /ValidatingAdmissionPolicy 'p' with binding 'b' denied request; values are/,
    ],
    [
      'Secret "web" is invalid: data: Invalid value: "s3cret failed calling webhook \\"w\\""',
      /\(Invalid\); values are/,
    ],
  ] as const) {
    const code = said.startsWith('Internal') ? 500 : 422;
    const { error } = classify(status(code, 'Invalid', said, {}, 'secrets'), 'apply', object);
    assert.match(error.message, told);
    assert.ok(!error.message.includes('s3cret'));
  }
});

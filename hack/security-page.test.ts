import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import definitions from '../operator/api/v1alpha1/definitions.json' with { type: 'json' };
import {
  CLUSTER_RIGHTS,
  MANAGED_RIGHTS,
  OWN_NAMESPACE_RIGHTS,
  UPGRADE_RIGHTS,
  WATCHED_RIGHTS,
} from '../operator/kube/rights.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/security.md'), 'utf8');

/** What the table says that it may: the first cell of each row. */
const rows = page
  .split('\n')
  .flatMap((line) => /^\| (?!it may|---)(.+?) \| .* \| .* \|/.exec(line)?.[1] ?? []);

/** Resources of others, as the table calls them. */
const KINDS: Readonly<Record<string, string>> = {
  secrets: 'Secrets',
  configmaps: 'ConfigMaps',
  events: 'events',
  serviceaccounts: 'ServiceAccount',
  namespaces: 'Namespaces',
  customresourcedefinitions: 'CustomResourceDefinitions',
  clusterroles: 'ClusterRoles',
  rolebindings: 'RoleBinding',
  leases: 'Leases',
  ...Object.fromEntries(
    definitions.map(({ spec: { names } }) => [names.plural, names.kind.replace(/y$/, 'ie').concat('s')]),
  ),
};

/** One word for several verbs. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  get: ['get', 'read'],
  list: ['list', 'read'],
  watch: ['watch', 'read'],
  create: ['create', 'write'],
  patch: ['patch', 'write'],
  update: ['update', 'write'],
  delete: ['delete', 'write'],
};

test('S15: the page on security has a row for each verb of each right that the operator has by itself', () => {
  const rights = [
    WATCHED_RIGHTS,
    CLUSTER_RIGHTS,
    UPGRADE_RIGHTS,
    MANAGED_RIGHTS,
    OWN_NAMESPACE_RIGHTS,
  ].flat();
  const missing = rights.flatMap(({ resources, verbs }) =>
    resources.flatMap((resource) => {
      const [plural = '', subresource = ''] = resource.split('/');
      const kind = KINDS[plural];
      assert.ok(kind, `${plural} has no name in the table`);
      return verbs
        .filter(
          (verb) =>
            !rows.some(
              (row) =>
                row.includes(kind) &&
                row.includes(subresource) &&
                WORDS[verb]?.some((word) => row.includes(word)),
            ),
        )
        .map((verb) => `${verb} ${resource}`);
    }),
  );
  assert.ok(rows.length > 10, `${rows.length} rows`);
  assert.deepEqual(missing, []);
});

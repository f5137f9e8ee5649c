import { test } from 'node:test';
import { assertReadsFramedInLinearTime, assertReadsInLinearTime } from '../../test/harness/hostile-text.ts';
import { canonicalJson, parseExact, withoutPaths } from './exact-json.ts';
import { liveObject } from './live.ts';
import { withMetadata, withName } from './metadata-text.ts';

const kind = { group: '', version: 'v1', kind: 'ConfigMap' };
/** Of no more than a MiB, also where JSON escapes what is in it. */
const manifest = (text: string) =>
  `{"metadata":{"labels":{"a":${JSON.stringify(text.slice(0, text.length ** 2 / JSON.stringify(text).length))}},"name":"web"}}`;

test('A15: a manifest with a hostile value is read and changed in linear time', () => {
  assertReadsFramedInLinearTime((text) => withMetadata(text, { uid: 'u' }), manifest);
  assertReadsFramedInLinearTime((text) => withName(text, 'other'), manifest);
  assertReadsFramedInLinearTime((text) => withoutPaths(text, ['/metadata/labels/b']), manifest);
  assertReadsFramedInLinearTime((text) => canonicalJson(parseExact(text)), manifest);
});

test('A15: labels, annotations and field managers of a live object are read in linear time', () => {
  assertReadsInLinearTime((text) =>
    liveObject(kind, {
      name: 'web',
      labels: { 'towpath.dev/target': text },
      annotations: { 'towpath.dev/owner': text, 'towpath.dev/prune': text, 'helm.sh/resource-policy': text },
      managedFields: [
        { manager: text, time: text },
        { manager: `towpath-hook-${text}`, fieldsV1: { [text]: {} } },
      ],
    }),
  );
});

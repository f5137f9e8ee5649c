import { test } from 'node:test';
import {
  assertReadsFramedInLinearTime,
  assertReadsInLinearTime,
} from '../../../test/harness/hostile-text.ts';
import { TowpathError } from '../../api/errors.ts';
import { boundStatus } from '../../api/v1alpha1/bound-status.ts';
import { requestFor } from '../../api/v1alpha1/environment-request.ts';
import { healthOf, type LiveObject, reduceForHealth } from '../../health/health.ts';
import { Redaction } from '../candidate/secrecy/redaction.ts';
import { handledAs } from '../target/request-annotations.ts';
import { worstHealth } from '../target/words/health.ts';
import { partly, toldAfter } from '../target/words/refusals.ts';

const object = { group: '', kind: 'Pod', namespace: 'shop', name: 'web' };
const errorOf = (text: string) => new TowpathError('Person', 'ManifestInvalid', text);

test('A15: a message is told in linear time, whatever it quotes', () => {
  assertReadsInLinearTime((text) => {
    toldAfter('Try 1 failed: ', errorOf(text));
    partly([{ verdict: 'State', error: errorOf(text) }], 1, 2);
  });
  assertReadsInLinearTime((text) =>
    boundStatus({
      conditions: [{ type: 'Ready', status: 'False', reason: 'A', message: text, lastTransitionTime: '' }],
    }),
  );
});

test('A15: secret values are taken out of a message in linear time', () => {
  const redaction = new Redaction([
    'a: aaaaaaaa\nb: update to update to \nc: "{{{{"\nd: "......"\ne: "Invalid value: {"',
  ]);
  assertReadsInLinearTime((text) => redaction.of(errorOf(text)));
});

test('A15: what controllers write into a status is read in linear time', () => {
  assertReadsFramedInLinearTime(
    (live: LiveObject) => {
      const health = healthOf(reduceForHealth(live));
      worstHealth([{ ...object, health }]);
    },
    (text) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {},
      status: {
        phase: 'Failed',
        reason: text,
        message: text,
        conditions: [{ type: 'PodScheduled', status: 'False', reason: text, message: text }],
        containerStatuses: [
          { name: text, image: text, state: { waiting: { reason: 'ErrImagePull', message: text } } },
        ],
      },
    }),
  );
});

test('A15: a request is read in linear time', () => {
  // No annotation is longer.
  const annotation = (text: string) => text.slice(0, 256 * 1024);
  assertReadsFramedInLinearTime((text) => [requestFor(text, 'default'), handledAs(text)], annotation);
});

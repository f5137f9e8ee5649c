import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGone, isInvalid, isTransient, isUnreachable } from './errors.ts';
import { errorFromAnswer } from './refusal.ts';

const CONFIG_MAPS = { plural: 'configmaps' };

test('a proxy’s page is told by its status, cut short', () => {
  const error = errorFromAnswer(502, `<html>${'x'.repeat(10_000)}</html>`, CONFIG_MAPS);
  assert.equal(error.code, 502);
  assert.ok(error.message.length < 300);
  assert.ok(isUnreachable(error));
});

test('S5: a page about a Secret is not quoted, it may echo what was sent', () => {
  const error = errorFromAnswer(400, 'bad request: {"data":{"password":"hunter2"}}', { plural: 'secrets' });
  assert.doesNotMatch(error.message, /hunter2/);
});

test('Retry-After of the header comes before that of the Status', () => {
  const status = JSON.stringify({ kind: 'Status', code: 429, details: { retryAfterSeconds: 1 } });
  assert.equal(errorFromAnswer(429, status, CONFIG_MAPS).retryAfterMs, 1000);
  assert.equal(errorFromAnswer(429, status, { ...CONFIG_MAPS, retryAfterMs: 5000 }).retryAfterMs, 5000);
});

test('time helps a 401, 429 and 5xx, and nothing else', () => {
  const codes = [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504];
  const helped = codes.filter((code) => isTransient(errorFromAnswer(code, '', CONFIG_MAPS)));
  assert.deepEqual(helped, [401, 429, 500, 502, 503, 504]);
  assert.deepEqual(
    codes.filter((code) => isInvalid(errorFromAnswer(code, '', CONFIG_MAPS))),
    [400, 413, 415, 422],
  );
  assert.ok(isGone(errorFromAnswer(410, '', CONFIG_MAPS)));
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { howToPush, labels } from './image.ts';

test("I4: the image is labelled with the chart's version, the commit and a date that a second build has, too", () => {
  const chart = readFileSync(join(import.meta.dirname, '../charts/towpath/Chart.yaml'), 'utf8');
  const { VERSION, REVISION, CREATED } = labels({});
  assert.ok(chart.includes(`\nappVersion: ${VERSION}\n`), VERSION);
  assert.match(REVISION ?? '', /^[0-9a-f]{40}$/);
  assert.equal(labels({}).CREATED, CREATED);
  assert.ok(chart.includes(`\nhome: ${labels({})['URL']}\n`));
  assert.equal(labels({})['SOURCE'], labels({})['URL']);
  assert.equal(
    labels({ SOURCE_URL: 'https://git.example.com/towpath' })['SOURCE'],
    'https://git.example.com/towpath',
  );
  assert.equal(labels({ SOURCE_DATE_EPOCH: '1764288000' }).CREATED, '2025-11-28T00:00:00.000Z');
});

test('make image names a tag that only this commit has', () => {
  const told = howToPush('towpath:dev', '0123456789abcdef0123456789abcdef01234567');
  assert.match(told, /docker tag towpath:dev \S+:0123456789ab && .+ --set-string image\.tag=0123456789ab$/);
});

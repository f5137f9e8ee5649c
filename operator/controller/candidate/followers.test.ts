import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Followers } from './followers.ts';
import { Touched } from './touched.ts';

const target = (name: string, path: string) => ({
  name,
  overlay: { path, ref: {}, defaults: undefined, layers: [] },
});

function followed(): Followers {
  const subject = new Followers();
  subject.noteLook(target('shop/web/staging', 'apps/staging'), 'one');
  subject.noteLook(target('shop/web/prod', 'apps/prod'), 'one');
  return subject;
}

test('whom a commit concerns is known of what was rendered, and of what the spec names', () => {
  const subject = followed();
  const concern = (path: string) => subject.concern('shop/web', new Touched([path]));
  assert.equal(concern('apps/prod/all.yaml'), 'Yes', 'one of its targets');
  assert.equal(concern('base/all.yaml'), 'Perhaps', 'nothing was rendered yet');
  subject.noteRead('shop/web/staging', 'c-1', ['apps/staging', 'base']);
  assert.equal(concern('other/all.yaml'), 'Perhaps', 'of prod it is not known');
  subject.noteRead('shop/web/prod', 'c-2', ['apps/prod']);
  assert.equal(concern('other/all.yaml'), 'No');
  assert.equal(concern('base/all.yaml'), 'Yes');
  subject.noteRead('shop/web/prod', 'c-3', undefined);
  assert.equal(concern('other/all.yaml'), 'Perhaps', 'symlinks were followed');
  assert.equal(subject.concern('shop/other', new Touched(['x'])), 'Perhaps');
});

test('what was read for another candidate says nothing of the one that the target has', () => {
  const subject = followed();
  for (const name of ['staging', 'prod']) subject.noteRead(`shop/web/${name}`, 'c-1', ['apps']);
  const concern = () => subject.concern('shop/web', new Touched(['other']));
  subject.noteKept('shop/web/prod', 'c-1');
  assert.equal(concern(), 'No');
  subject.noteKept('shop/web/prod', 'c-0');
  assert.equal(concern(), 'Perhaps');
  subject.forgetTarget('shop/web/prod');
  assert.equal(concern(), 'No', 'it is there no more');
});

test('a commit is known where each target was looked at with it', () => {
  const subject = followed();
  const seen = (commit: string) => subject.haveSeen('shop/web', () => commit);
  assert.equal(seen('one'), true);
  subject.noteLook(target('shop/web/prod', 'apps/prod'), 'two');
  assert.equal(seen('two'), false);
  subject.noteLook(target('shop/web/staging', 'apps/staging'), 'two');
  assert.equal(seen('two'), true);
  assert.equal(
    subject.haveSeen('shop/other', () => 'two'),
    false,
  );
  subject.forget('shop/web');
  assert.equal(seen('two'), false);
});

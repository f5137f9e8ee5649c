import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placesOf, Touched } from './touched.ts';

test('a commit is about a path where something at it, below it, or a directory above it changed', () => {
  const touched = new Touched(['apps/web/values.yaml', 'charts/old', 'README.md']);
  for (const path of ['', 'apps', 'apps/web', 'apps/web/values.yaml', 'charts/old/templates/a.yaml'])
    assert.ok(touched.has(path), path);
  for (const path of ['apps/web/Chart.yaml', 'apps/we', 'apps/web2', 'charts/old2', 'charts/new', 'docs'])
    assert.ok(!touched.has(path), path);
  assert.ok(!new Touched([]).has(''), 'nothing changed');
});

test('what a spec names of the repository are its path and its values files, from the path or the root', () => {
  const layer = (...valuesFiles: string[]) => ({
    field: 'spec.helm',
    valuesFiles,
    valuesFrom: [],
    values: undefined,
  });
  assert.deepEqual(
    placesOf({ path: './apps/web/', layers: [layer('prod.yaml', '/shared.yaml'), layer('../up.yaml')] }),
    ['apps/web', 'apps/web/prod.yaml', 'shared.yaml', 'apps/up.yaml'],
  );
  assert.deepEqual(
    placesOf({ path: '.', isPublished: true, layers: [layer('prod.yaml')] }),
    ['prod.yaml'],
    'beside a published chart nothing else is',
  );
  assert.deepEqual(
    placesOf({ path: '', layers: [layer('../out.yaml')] }),
    [''],
    'what can be none is left out',
  );
});

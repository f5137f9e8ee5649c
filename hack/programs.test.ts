import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterProgram, KUBERNETES_VARIABLE, kubernetesMinor } from './programs.ts';

function asked<T>(minor: string, about: () => T): T {
  const before = process.env[KUBERNETES_VARIABLE];
  process.env[KUBERNETES_VARIABLE] = minor;
  try {
    return about();
  } finally {
    process.env[KUBERNETES_VARIABLE] = before ?? '';
  }
}

test('KUBERNETES names the minor of the control plane; without it, it is the newest', () => {
  const newest = asked('', kubernetesMinor);
  const [major = '', minor = ''] = newest.split('.');
  for (const back of [0, 1, 2]) {
    const wanted = `${major}.${Number(minor) - back}`;
    assert.equal(asked(wanted, kubernetesMinor), wanted);
    const { modFile, ldflags = [] } = asked(wanted, clusterProgram);
    assert.equal(modFile, back === 0 ? undefined : `hack/kubernetes/${wanted}.mod`);
    assert.match(
      ldflags.join(' '),
      new RegExp(`gitVersion=v${wanted}\\.\\d+ .*gitMinor=${Number(minor) - back}$`),
    );
  }
});

test('a minor that is not kept here is refused with those that are', () => {
  for (const minor of ['1.2', '1.370', 'v1.36', '../cluster/go', 'newest'])
    assert.throws(
      () => asked(minor, clusterProgram),
      /^Error: no Kubernetes .*; there are 1\.35, 1\.36, 1\.37 /,
    );
});

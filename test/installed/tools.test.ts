import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NEXT_VERSION } from '../../hack/image/next-release.ts';
import { argo, flux, LABELLED, SERVER_SIDE, type Where } from '../harness/deployment-tools.ts';
import { eventually } from '../harness/wait.ts';
import { definitionOf, imageValues, settledObjects, untilPodsRun } from './releases.ts';
import { next, type Site, skip, startSite, stepsOf, today } from './site.ts';

const configMap = (text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {text: ${text}}\n`;

let site: Site;
before(async () => {
  if (skip === false) site = await startSite({ 'one.yaml': configMap('first') });
});
after(() => site?.stop());

test('I3: other tools install, upgrade and remove it', { skip }, async (t) => {
  const step = stepsOf(t);
  const { controlPlane: cluster, kubectl } = site;
  const text = ['-n', 'shop', 'get', 'configmap', 'one', '-o', 'jsonpath={.data.text}'];
  const untilDeployed = async (wanted: string) => {
    await site.repository.commit({ 'one.yaml': configMap(wanted) });
    await eventually(async () => (await kubectl(...text)) === wanted, {
      describe: `${wanted} to be deployed`,
    });
    await site.untilReady('one', 'shop');
  };
  await site.admit('shop');
  for (const [tool, way] of [
    ['Argo CD', (where: Where) => argo(where, LABELLED, SERVER_SIDE)],
    ['Flux', flux],
  ] as const)
    await step(
      `${tool}: its Pods run and deploy, nothing is left to change, and no object of a user changes`,
      async () => {
        await kubectl('create', 'namespace', 'towpath-system');
        const { install, difference, remove } = way({ cluster, namespace: 'towpath-system', values: {} });
        await install(today.chart, { image: imageValues(today.image) });
        await untilPodsRun(kubectl, today.image);
        await site.applyApplication('one', 'shop', {});
        await untilDeployed(`by ${tool}`);
        const before = await settledObjects(kubectl, 'shop');
        assert.ok('ConfigMap one' in before && 'Application one' in before);
        assert.equal(await difference(today.chart, { image: imageValues(today.image) }), '');

        await install(next.chart, { image: imageValues(next.image) });
        await untilPodsRun(kubectl, next.image);
        const definition = await definitionOf(kubectl);
        assert.equal(definition, `${NEXT_VERSION} Since ${NEXT_VERSION}.`);
        assert.deepEqual(await settledObjects(kubectl, 'shop'), before, 'after the upgrade');
        await untilDeployed(`by the next release of ${tool}`);
        assert.equal(await difference(next.chart, { image: imageValues(next.image) }), '');

        const after = await settledObjects(kubectl, 'shop');
        await remove();
        await kubectl('delete', 'namespace', 'towpath-system', '--timeout=60s');
        assert.deepEqual(await settledObjects(kubectl, 'shop'), after, 'after it was removed');
        assert.equal(await definitionOf(kubectl), definition);
      },
    );
});

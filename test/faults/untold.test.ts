import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastLease } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, newProxiedSteps } from '../integration/steps.ts';

interface Told {
  note: string;
  series?: { count: number };
}

test('A14: what was pruned and repaired is told once, whatever becomes of the first writes of the status', async (t) => {
  const { proxy, stage, deploy, push, live } = await newProxiedSteps(t, { flags: fastLease });
  const told = async (name: string, reason: string): Promise<Told[]> => {
    const path = `/apis/events.k8s.io/v1/namespaces/${stage.namespace}/events`;
    const { body } = await stage.cluster.request('GET', path);
    const { items } = JSON.parse(body) as {
      items: (Told & { reason: string; regarding: { name: string } })[];
    };
    return items.filter((event) => event.reason === reason && event.regarding.name === name);
  };
  const once = async (name: string, reason: string, note: RegExp) => {
    const events = await eventually(
      async () => {
        const found = await told(name, reason);
        return found.length > 0 && found;
      },
      { describe: `the event ${reason} about ${name}` },
    );
    assert.equal(events.length, 1, JSON.stringify(events));
    assert.match(events[0]?.note ?? '', note);
    assert.equal(events[0]?.series, undefined, 'it is told once');
  };

  for (const [name, status] of [
    ['conflicts', 409],
    ['failures', 500],
  ] as const) {
    await t.test(`with ${name} of two writes in a row`, async () => {
      await deploy(name, [configMap(name), configMap(`${name}-goes`)]);
      const statusOf = { verb: 'patch', path: new RegExp(`/applications/${name}/status`) } as const;
      const pruning = proxy.fail({ ...statusOf, fault: { status }, times: 2 });
      const commit = await push(name, [configMap(name)]);
      await stage.untilReadyAt(name, commit);
      assert.equal(pruning.met, 2);
      await once(name, 'Pruned', new RegExp(`${name}-goes is no longer in Git`));

      const repairing = proxy.fail({ ...statusOf, fault: { status }, times: 2 });
      await stage.kubectl('patch', 'configmap', name, '-p', '{"data":{"key":"mine"}}');
      await eventually(() => repairing.met > 0, { describe: 'the fault to be met' });
      await eventually(async () => (await live('configmap', name))?.data?.['key'] === 'value');
      await once(name, 'DriftRepaired', new RegExp(`${name} was put back`));
    });
  }
});

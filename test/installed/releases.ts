import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { NEXT_FIELD } from '../../hack/image/next-release.ts';
import { objectVersions } from '../harness/object-versions.ts';
import { eventually } from '../harness/wait.ts';
import { type Kubectl, SYSTEM } from './in-the-pod.ts';

/** Values by which the chart takes an image that is on the node. */
export function imageValues(image: string): { repository: string; tag: string; pullPolicy: string } {
  const [name = '', tag = ''] = image.split(':');
  return { repository: `docker.io/library/${name}`, tag, pullPolicy: 'Never' };
}

/** Waits until a release is what its users see: in `helm list`, and in what each Pod runs. */
export async function untilShown(
  helm: Kubectl,
  kubectl: Kubectl,
  { version, image }: { version: string; image: string },
): Promise<void> {
  const [release] = JSON.parse(await helm('list', ...SYSTEM, '-o', 'json')) as Record<string, string>[];
  assert.equal(release?.['chart'], `towpath-${version}`);
  assert.equal(release?.['app_version'], version);
  assert.equal(release?.['status'], 'deployed');
  await untilPodsRun(kubectl, image);
}

/** Waits until two Pods of an image are Ready, and no other ones are there. */
export async function untilPodsRun(kubectl: Kubectl, image: string): Promise<void> {
  const each =
    'jsonpath={range .items[*]}{.spec.containers[0].image} {.status.containerStatuses[0].ready} {end}';
  const replica = `docker.io/library/${image} true`;
  const pods = ['get', 'pods', '-l', 'app.kubernetes.io/name=towpath', '-o', each];
  await eventually(async () => (await kubectl(...SYSTEM, ...pods)) === `${replica} ${replica}`, {
    describe: `two Pods of ${image}`,
  });
}

/** The version that the stored definition of Applications has, and what it says of the field that came with it. */
export async function definitionOf(kubectl: Kubectl, kind = 'applications.towpath.dev'): Promise<string> {
  const field = `.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.${NEXT_FIELD}.description`;
  const format = `jsonpath={.metadata.annotations.towpath\\.dev/version} {${field}}`;
  return (await kubectl('get', 'crd', kind, '-o', format)).trim();
}

/** The versions of all objects that users have in a namespace, and what Applications made that is in none. */
export async function settledObjects(kubectl: Kubectl, namespace: string): Promise<Record<string, string>> {
  let before: Record<string, string> | undefined;
  return eventually(
    async () => {
      const now = await objectVersions(kubectl, namespace);
      const isSettled = isDeepStrictEqual(now, before);
      before = now;
      return isSettled ? now : undefined;
    },
    { within: 60_000, describe: `the objects in ${namespace} to change no more` },
  );
}

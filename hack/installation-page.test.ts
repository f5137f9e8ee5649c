import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const pageOf = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8');
const page = pageOf('docs/installation.md');
const [, joining = ''] = /```\n(image=[^`]+imagetools create[^`]+)```/.exec(page) ?? [];
const TAG = '0123456789ab';
const IMAGE = 'registry.example.com/platform/towpath';
const REPOSITORY = `${IMAGE}:${TAG}`;

/** What the page's commands do with an image store in which `towpath:dev` is what was built last. */
function storeAfter(fails = 'nothing'): string[] {
  const stubs = `
    git() { [ "$*" = "rev-parse --short=12 HEAD" ] && echo ${TAG}; }
    make() { [ "$2" != "PLATFORM=linux/${fails}" ] && dev=\${2#PLATFORM=linux/}; }
    docker() {
      case $1 in
        tag) [ "$2" = towpath:dev ] && echo "$3 is $dev" ;;
        push) echo "pushed $2" ;;
        *) echo "$*" ;;
      esac
    }
`;
  const { status, stdout, stderr } = spawnSync('sh', ['-uc', `${stubs}${joining}`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

test("docs/installation.md tags each architecture's image before the next takes its name, and joins both", () => {
  const joined = `buildx imagetools create --tag ${REPOSITORY} ${REPOSITORY}-amd64 ${REPOSITORY}-arm64`;
  const pushed = (architecture: string) => [
    `${REPOSITORY}-${architecture} is ${architecture}`,
    `pushed ${REPOSITORY}-${architecture}`,
  ];
  assert.deepEqual(storeAfter(), [...pushed('amd64'), ...pushed('arm64'), joined]);
  // No image is pushed under the name of an architecture that it is not of.
  assert.deepEqual(storeAfter('arm64'), [...pushed('amd64'), joined]);
});

/** What a block of commands calls, but for `make image` and what looks. */
function calls(block: string): string[] {
  const stubs = `
    git() { [ "$*" = "rev-parse --short=12 HEAD" ] && echo ${TAG}; }
    make() { :; }
    kubectl() { :; }
    docker() { echo "docker $*"; }
    helm() { echo "helm $*"; }
`;
  const { status, stdout, stderr } = spawnSync('sh', ['-uec', `${stubs}${block}`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

test('the pages push each build under a tag of its own, and give it to the chart, at an upgrade too', () => {
  for (const path of ['README.md', 'docs/getting-started.md', 'docs/installation.md']) {
    const blocks = pageOf(path).match(/(?<=^```\n)tag=[^`]+(?=^```$)/gm) ?? [];
    assert.equal(blocks.length, path === 'docs/installation.md' ? 2 : 1, path);
    for (const block of blocks) {
      const [tagged, pushed, helm = ''] = calls(block);
      assert.deepEqual(
        [tagged, pushed],
        [`docker tag towpath:dev ${REPOSITORY}`, `docker push ${REPOSITORY}`],
      );
      assert.ok(helm.includes(` --set-string image.tag=${TAG}`), helm);
      assert.ok(helm.includes('helm upgrade') || helm.includes(` image.repository=${IMAGE} `), helm);
    }
  }
});

test('each helm upgrade to copy keeps the values that were given, and takes defaults that are new in the chart', () => {
  const root = join(import.meta.dirname, '..');
  const pages = ['README.md', 'charts/towpath/README.md', ...globSync('docs/**/*.md', { cwd: root })];
  const upgrades = pages.flatMap((path) =>
    (pageOf(path).match(/^ *helm upgrade (.*\\\n)*.*$/gm) ?? []).map((command) => ({ path, command })),
  );
  assert.ok(upgrades.length >= 4, `${upgrades.length} commands`);
  for (const { path, command } of upgrades)
    assert.match(command, / --reset-then-reuse-values( |$)/, `${path}: ${command.trim()}`);
});

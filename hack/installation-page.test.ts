import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const page = readFileSync(join(import.meta.dirname, '../docs/installation.md'), 'utf8');
const [, joining = ''] = /```\n(image=[^`]+imagetools create[^`]+)```/.exec(page) ?? [];
const REPOSITORY = 'registry.example.com/platform/towpath:0.1.0';

/** What the page's commands do with an image store in which `towpath:dev` is what was built last. */
function storeAfter(fails = 'nothing'): string[] {
  const stubs = `
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

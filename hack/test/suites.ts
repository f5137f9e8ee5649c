import { globSync } from 'node:fs';

/** Test files that run so many at once. */
export interface Group {
  files: string[];
  atOnce: number;
}

/** With three, two cores were busy all the time, and limits near what something takes were missed. */
const FILES_AT_ONCE = 2;

/**
 * Faults that count what was done, and not how long it took, or whose limits are many times what it takes: two at
 * once are as good as one. The long ones first.
 */
const UNTIMED_FAULTS = [
  ...['counts', 'git-down', 'slow-sync', 'restored-etcd', 'two-namespaces', 'last-good'].map(
    (name) => `test/faults/${name}.test.ts`,
  ),
  'test/e2e/**/*.test.ts',
];

/** What compares with another program, has one built that nothing else needs, or goes through kinds of keys: a minute. */
const LONG_UNITS = [
  'operator/source/charts/oci-registries.test.ts',
  'operator/source/common-conformance.test.ts',
  'operator/source/pack/differential.test.ts',
  'operator/source/wire/differential-refs.test.ts',
  'operator/source/transport/ssh-keys.test.ts',
];

/** What matches, at most so many at once, group after group. A file is of the first group that it matches. */
const SUITES = {
  // The long ones first, so that none is left running alone at the end.
  test: [
    {
      patterns: [
        'test/integration/**/*.test.ts',
        'test/corpus/**/*.test.ts',
        'test/harness/**/*.test.ts',
        'operator/**/*.test.ts',
        'plugin/**/*.test.ts',
        'hack/**/*.test.ts',
      ],
      atOnce: FILES_AT_ONCE,
    },
  ],
  faults: [
    { patterns: UNTIMED_FAULTS, atOnce: FILES_AT_ONCE },
    // What measures times needs the machine.
    { patterns: ['test/faults/**/*.test.ts'], atOnce: 1 },
  ],
  // What is met rarely: objects that move, autoscalers, claims, definitions; faults at each step of a job.
  edges: [{ patterns: ['test/edges/**/*.test.ts', ...LONG_UNITS], atOnce: FILES_AT_ONCE }],
  // What is gone through one by one: each write at which a process may die, or of which an answer may be lost.
  exhaustive: [{ patterns: ['test/exhaustive/**/*.test.ts'], atOnce: FILES_AT_ONCE }],
  // The chart's life as it is not met every day: in all orders, under all names, by other tools, by who is no administrator.
  release: [{ patterns: ['test/release/**/*.test.ts'], atOnce: FILES_AT_ONCE }],
  // Takes twenty minutes by itself: what grows with size only, and clusters that are restored and flap.
  scale: [{ patterns: ['test/scale/**/*.test.ts'], atOnce: 1 }],
  // Slow, and another architecture's.
  arm64: [{ patterns: ['test/arm64/**/*.test.ts'], atOnce: 1 }],
  image: [{ patterns: ['test/image/**/*.test.ts'], atOnce: 1 }],
  // Needs Debian's package prometheus.
  monitoring: [{ patterns: ['test/monitoring/**/*.test.ts'], atOnce: 1 }],
  // Started by hack/e2e.ts, each file by itself, with a control plane and an image of its own.
  installed: [{ patterns: ['test/installed/**/*.test.ts'], atOnce: 1 }],
} as const;

export type SuiteName = keyof typeof SUITES;

/** @throws Error where there is no such suite, with those that there are. */
export function suiteOf(name: string): SuiteName {
  if (name in SUITES) return name as SuiteName;
  throw new Error(`no suite ${name}; there are ${Object.keys(SUITES).join(', ')}`);
}

/** The files of a suite whose paths have one of some texts, separated by commas, in them; no group is empty. */
export function groupsOf(suite: SuiteName, only: string): Group[] {
  const parts = only.split(',');
  const taken = new Set<string>();
  const groups = SUITES[suite].map(({ patterns, atOnce }) => {
    const files = patterns
      .flatMap((pattern) => globSync(pattern).sort())
      .filter(
        (file) =>
          parts.some((part) => file.includes(part)) &&
          !file.includes('node_modules/') &&
          !taken.has(file) &&
          (suite !== 'test' || !LONG_UNITS.includes(file)),
      );
    for (const file of files) taken.add(file);
    return { files, atOnce };
  });
  return groups.filter(({ files }) => files.length > 0);
}

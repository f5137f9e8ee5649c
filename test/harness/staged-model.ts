import assert from 'node:assert/strict';
import { isFinished, type PromotionPhase } from '../../operator/api/v1alpha1/promotion.ts';
import { governanceIn } from '../../operator/controller/policy/governance.ts';
import {
  type Candidate,
  candidateKey,
  type Deployment,
  isOnItsWay,
  namedIn,
  newRecord,
  type TargetRecord,
} from '../../operator/controller/record/record.ts';
import { withAsk, withWaiting } from '../../operator/controller/record/waiting.ts';
import { letGo } from '../../operator/controller/target/actions/let-go.ts';
import { noteVerify, seenAs } from '../../operator/controller/target/actions/note-verify.ts';
import { askedIn, commandedIn } from '../../operator/controller/target/commanded.ts';
import { Evidence } from '../../operator/controller/target/evidence.ts';
import { gatesOf } from '../../operator/controller/target/gates.ts';
import { Openings } from '../../operator/controller/target/openings.ts';
import {
  comesAfter,
  isPromoted,
  isSoakAsked,
  isSoakCounted,
  shownBy,
} from '../../operator/controller/target/promotion.ts';
import type { Run } from '../../operator/controller/target/run.ts';
import type { Findings, TargetState } from '../../operator/controller/target/state.ts';
import type { AppliedObject } from '../../operator/manifest/applied.ts';
import { digestOf } from '../../operator/manifest/digest.ts';
import type { Command } from '../../operator/promote/command.ts';
import { endedUnheard } from '../../operator/promote/commands.ts';
import { earliest } from '../../operator/promote/earliest.ts';
import type { BlockedBy, Decision } from '../../operator/promote/gate.ts';
import type { Governance } from '../../operator/promote/governance.ts';
import { soakAfter } from '../../operator/promote/soak.ts';
import { verifyEndsAt, verifyFrom } from '../../operator/promote/verify.ts';
import { begin, goBack } from './staged-actions.ts';
import { OWN_GATES, POLICIES, stagedApplication } from './staged-policies.ts';
import {
  type Commit,
  type Doing,
  ENVIRONMENTS,
  type Environment,
  type Said,
  type StagedYear,
  TIMEOUT_MS,
} from './staged-year.ts';

type Judged = ReturnType<typeof gatesOf>;

/** A deployment that began, and how all was at that moment. */
export interface Begun {
  readonly environment: Environment;
  readonly commit: Commit;
  readonly digest: string;
  readonly at: number;
  readonly by: Command | undefined;
  readonly isBack: boolean;
  readonly governance: Governance;
  /** Of all. */
  readonly governances: ReadonlyMap<Environment, Governance>;
  /** What ran before, and what there was against it. */
  readonly before: Readonly<TargetRecord>;
  /** The records of all. */
  readonly records: ReadonlyMap<Environment, Readonly<TargetRecord>>;
}

const APPLICATION = stagedApplication();
const APPLIED = { uid: 'web', kind: 'ConfigMap', namespace: 'shop', name: 'web' } as unknown as AppliedObject;
const identityOf = (environment: Environment) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});

/** How what was deployed at a time is at another one: what an API server would tell. */
export function healthOf({ fates }: Commit, environment: Environment, since: number, now: number) {
  const { takes, breaksAfter, wellAfter } = fates[environment];
  const healthyFrom = since + takes;
  if (now < healthyFrom) return 'Progressing';
  const broken = healthyFrom + breaksAfter;
  // Half of what breaks only comes up once more: a Pod that is moved, say.
  const how = breaksAfter % 2_000 < 1_000 ? 'Degraded' : 'Progressing';
  return now >= broken && now < broken + wellAfter ? how : 'Healthy';
}

/**
 * An operator that works on five environments of one Application: what it decides is decided by its own functions, what it
 * writes to records as its actions write it; what is in clusters a year says (staged-year.ts). It looks when it is woken, and
 * at the times at which it said that it would.
 */
export class StagedModel {
  readonly begun: Begun[] = [];
  /** By name, what became of what persons asked for. */
  readonly ended = new Map<string, PromotionPhase>();
  looks = 0;
  readonly records: ReadonlyMap<Environment, TargetRecord>;
  readonly #commits: Commit[];
  readonly #year: StagedYear;
  readonly #doings: ReadonlyMap<number, readonly Doing[]>;
  readonly #saying: ReadonlyMap<number, readonly Said[]>;
  /** What was said by now, by the digest that it is about. */
  readonly #said = new Map<string, readonly Decision[]>();
  readonly #used = new Set<string>();
  readonly #everyMs: number;
  readonly #due = new Set<Environment>();
  readonly #wakes = new Map<Environment, number>();
  readonly #pending = new Map<Environment, Command[]>();
  readonly #candidates = new Map<string, Candidate & { readonly of: Commit }>();
  readonly #wantedOnce = new Map<string, Candidate>();
  readonly #evidence = new Evidence((name) => this.#due.add(name.split('/')[2] as Environment));
  readonly #openings = new Openings();
  #governances: ReadonlyMap<Environment, Governance> = new Map();
  #gates: (typeof OWN_GATES)[number] = {};
  #known = -1;
  #now = 0;
  #ledUntil = 0;

  readonly #policies: typeof POLICIES;

  /**
   * @param everyMs it also looks at all of them again and again after so long
   * @param policies what there is in turn
   */
  constructor(year: StagedYear, everyMs = Number.POSITIVE_INFINITY, policies = POLICIES) {
    this.#year = year;
    this.#policies = policies;
    this.#everyMs = everyMs;
    this.#commits = [...year.commits];
    this.#doings = Map.groupBy(year.doings, ({ at }) => at);
    this.#saying = Map.groupBy(year.said, ({ at }) => at);
    const applied = new Map([['web', APPLIED]]);
    this.records = new Map(ENVIRONMENTS.map((one) => [one, { ...newRecord(identityOf(one)), applied }]));
  }

  /** Goes on until a time. */
  async run(from: number, until: number): Promise<void> {
    const { doings, said, policies, away } = this.#year;
    const outside = [
      ...this.#commits.map(({ at }) => at),
      ...doings.map(({ at }) => at),
      ...said.map(({ at }) => at),
      ...policies.map(({ at }) => at),
      ...away.flatMap((one) => [one.from, one.until]),
    ].filter((at) => at >= from && at < until);
    outside.sort((one, other) => one - other);
    const isAway = (at: number) => away.some((one) => one.from <= at && at < one.until);
    let polled = from + this.#everyMs;
    for (let at = 0; ; ) {
      const woken = isAway(this.#now) ? Number.POSITIVE_INFINITY : Math.min(polled, ...this.#wakes.values());
      const now = Math.min(outside[at] ?? Number.POSITIVE_INFINITY, woken);
      if (now >= until) return;
      while (outside[at] === now) at += 1;
      const wasAway = isAway(this.#now);
      this.#now = now;
      this.#happens(now);
      if (isAway(now)) {
        if (!wasAway) this.#ledUntil = now;
        continue;
      }
      if (wasAway) this.#begins();
      const isPoll = polled <= now;
      if (isPoll) polled = now + this.#everyMs;
      for (const [environment, wake] of this.#wakes) if (isPoll || wake <= now) this.#due.add(environment);
      await this.#lookAtAll();
    }
  }

  /** Somebody pushes, after the year. */
  push(commit: Omit<Commit, 'number'>): Commit {
    const pushed = { ...commit, number: this.#commits.length };
    this.#commits.push(pushed);
    return pushed;
  }

  /** Somebody approves or rejects. */
  say({ at, environment, commit, by, decision }: Said): void {
    const digest = manifestsOf(environment, commit);
    const one = { uid: `${digest} ${by} ${at}`, by, groups: [], decision, at: new Date(at) };
    this.#said.set(digest, [...(this.#said.get(digest) ?? []), one]);
    this.#due.add(environment);
  }

  /** Somebody asks for something. */
  ask(environment: Environment, more: Pick<Command, 'type' | 'by' | 'promotion'> & Partial<Command>): void {
    const who = { application: 'web', environment, reason: '', skipGates: [] };
    const command = { uid: more.promotion, requestedAt: new Date(this.#now), ...who, ...more };
    this.#pending.set(environment, [...(this.#pending.get(environment) ?? []), command]);
    this.#due.add(environment);
  }

  #happens(now: number): void {
    const known = this.#commits.findLastIndex(({ at }) => at <= now);
    if (known !== this.#known) for (const one of ENVIRONMENTS) this.#due.add(one);
    this.#known = known;
    const policy = this.#year.policies.findLast(({ at }) => at <= now);
    if (policy?.at === now || this.#governances.size === 0) {
      const policies = this.#policies[policy?.which ?? 0] ?? [];
      this.#gates = OWN_GATES[policy?.which ?? 0] ?? {};
      const gatesIn = (name: string) =>
        ENVIRONMENTS.flatMap((one) => (one === name ? this.#gates[one] : undefined) ?? []).at(0);
      this.#governances = new Map(
        ENVIRONMENTS.map((one) => [one, governanceIn(APPLICATION, one, policies, gatesIn)]),
      );
      for (const one of ENVIRONMENTS) this.#due.add(one);
    }
    for (const one of this.#saying.get(now) ?? []) this.say(one);
    for (const doing of this.#doings.get(now) ?? []) this.#does(doing);
  }

  /** A process that was not there knows what the records say. */
  #begins(): void {
    this.#evidence.forgetAll();
    for (const one of ENVIRONMENTS) this.#due.add(one);
  }

  #does({ environment, type, by, which, skips }: Doing): void {
    const { ran, waiting = [], deployment, hold } = this.#record(environment);
    const pick = <One>(all: readonly One[]): One | undefined => all[Math.floor(which * all.length)];
    const promotion = `${environment}-${this.#now}`;
    const recorded = deployment && (deployment.promoted?.promotion ?? `web-${environment}-${deployment.id}`);
    const about = pick(
      [recorded, this.#pending.get(environment)?.at(-1)?.promotion].flatMap((one) => one ?? []),
    );
    if (type === 'Promote' || type === 'Rollback') {
      const kept = ran.map(digestIn);
      const waits = waiting.map((one) => one.digest);
      // Who goes back may ask for what waits, too, and does not get it.
      const candidate = pick(type === 'Rollback' ? [...kept, ...waits] : waits.length === 0 ? kept : waits);
      const skipGates = type === 'Promote' ? skips : [];
      if (candidate !== undefined) this.ask(environment, { type, by, promotion, candidate, skipGates });
    } else if (type === 'Resume')
      this.ask(environment, { type, by, promotion, about: hold?.promotion ?? 'x' });
    else if (about !== undefined) this.ask(environment, { type, by, promotion, about });
  }

  async #lookAtAll(): Promise<void> {
    for (let looks = 0; this.#due.size > 0; looks += 1) {
      assert.ok(looks < 200, 'they wake one another for ever');
      const [environment] = this.#due;
      if (environment === undefined) return;
      this.#due.delete(environment);
      await this.#look(environment);
    }
  }

  async #look(environment: Environment): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      assert.ok(turn < 20, `a look at ${environment} never ends`);
      this.looks += 1;
      const judged = await this.#step(environment);
      if (judged === undefined) continue;
      this.#wakes.set(environment, this.#wakeOf(environment, judged));
      this.#answer(environment, judged);
      this.#saysWhy(environment, judged);
      return;
    }
  }

  /** @returns what was judged where nothing is left to do */
  async #step(environment: Environment): Promise<Judged | undefined> {
    const record = this.#record(environment);
    this.#noteCluster(environment);
    const run = this.#run(environment);
    const asked = askedIn(run);
    if (asked?.type === 'Resume') {
      const { hold } = record;
      await letGo(run, { asked, ...(hold === undefined ? {} : { hold }) } as unknown as TargetState);
      return undefined;
    }
    const { verify } = record.deployment ?? {};
    const hasFailed =
      verify?.outcome === 'Failed' && verify.onFailure === 'Rollback' && verify.wentBack === undefined;
    if (asked !== undefined || hasFailed) {
      await goBack(run, asked, (candidate) => this.#note(environment, candidate, asked, 'Back'));
      return undefined;
    }
    const wanted = this.#wanted(environment);
    if (wanted === undefined) return gatesOf(run, { sight: 'Seen' } as Findings);
    this.#noteAsked(environment, wanted);
    return this.#enter(environment, run, wanted);
  }

  #enter(environment: Environment, run: Run, wanted: Candidate): Judged | undefined {
    const record = this.#record(environment);
    const judged = gatesOf(run, found(wanted));
    // A prime number: each environment is asked twice in turn.
    if (this.looks % 37 === 0)
      assert.deepEqual(gatesOf(run, found(wanted)), judged, 'the same is said of the same');
    const { choice, promoted, blockedBy } = judged;
    const enters = promoted?.refusal === undefined && promoted?.blockedBy.length === 0 ? promoted : undefined;
    const isToDeploy = (one: Candidate) => {
      const runs = record.deployment;
      if (runs === undefined || candidateKey(runs.candidate) !== candidateKey(one)) return true;
      const isEntering =
        enters?.candidate !== undefined && candidateKey(enters.candidate) === candidateKey(one);
      return isEntering && (runs.outcome === 'Cancelled' || runs.outcome === 'Failed');
    };
    const mayBegin = isToDeploy(wanted) && blockedBy.length === 0;
    if (choice !== undefined && (!mayBegin || choice === promoted?.candidate)) {
      const chosen = this.#candidates.get(candidateKey(choice));
      assert.ok(chosen !== undefined, 'what is to enter is kept');
      if (isToDeploy(chosen)) {
        const again = gatesOf(run, { ...found(chosen), chosen: { asked: choice.asked } } as Findings);
        assert.deepEqual(again.blockedBy, [], 'what was chosen may enter');
        this.#begin(run, chosen, enters?.candidate === choice ? enters.command : undefined, 'Chosen');
        return undefined;
      }
    }
    if (mayBegin) {
      const isAsked =
        enters?.candidate !== undefined && candidateKey(enters.candidate) === candidateKey(wanted);
      this.#begin(run, wanted, isAsked ? enters?.command : undefined, 'Newest');
      return undefined;
    }
    const isBlocked = blockedBy.some(({ standing }) => standing === 'Blocked');
    if (!isToDeploy(wanted) || isBlocked || judged.parked === candidateKey(wanted)) return judged;
    this.#park(environment, run, wanted);
    return undefined;
  }

  #park(environment: Environment, run: Run, wanted: Candidate): void {
    const record = this.#record(environment);
    if (!isPromoted(run.target)) {
      record.pending = wanted;
      return;
    }
    const asked = askedFor(this.#newest());
    const runs = new Set(
      [...this.records.values()].flatMap(({ deployment }) => deployment?.candidate.revision ?? []),
    );
    const waiting = { id: wanted.id, digest: wanted.digest, asked };
    record.waiting = withWaiting(record.waiting ?? [], waiting, (one) =>
      runs.has(one.slice('asked '.length)),
    );
    delete record.pending;
  }

  #begin(run: Run, candidate: Candidate, by: Command | undefined, whence: 'Newest' | 'Chosen'): void {
    const environment = run.target.environment as Environment;
    this.#note(environment, candidate, by, 'In');
    const { settles } = gatesOf(run, found(candidate));
    for (const { uid } of settles) this.#used.add(uid);
    begin(run, candidate, by, whence);
    this.#evidence.release(identityOf(environment), comesAfter(run.target));
  }

  /** What the cluster shows by now. */
  #noteCluster(environment: Environment): void {
    const record = this.#record(environment);
    const target = identityOf(environment);
    const now = new Date(this.#now);
    const { deployment } = record;
    if (deployment === undefined) return;
    const since = Date.parse(deployment.startedAt);
    const live = healthOf(this.#commitOf(deployment), environment, since, this.#now);
    if (deployment.outcome === undefined) this.#noteEnd(record, deployment, live);
    const gap = this.#evidence.knows(target)
      ? {}
      : { gap: { from: new Date(this.#ledUntil), isUndisturbed: true as const } };
    const state = { deployment: record.deployment, found: SEEN } as unknown as TargetState;
    const governance = this.#governance(environment);
    const { digest, health } = shownBy(state, live);
    if (isSoakCounted({ governance }, record)) {
      const soak = soakAfter(record.soak, {
        digest,
        health: seenAs(health, live),
        now,
        ...gap,
        ...(isSoakAsked({ governance }) ? {} : { unasked: true as const }),
      });
      if (soak === undefined) delete record.soak;
      else record.soak = soak;
    }
    noteVerify(this.#run(environment), state, { state: live }, gap.gap);
    if (isOnItsWay(deployment) && !isOnItsWay(record.deployment))
      this.#evidence.release(target, comesAfter({ governance }));
    const after = { deployment: record.deployment, found: SEEN } as unknown as TargetState;
    this.#evidence.note(target, { asked: askedFor(this.#newest()), ...shownBy(after, live) });
  }

  #noteEnd(record: TargetRecord, deployment: Deployment, live: ReturnType<typeof healthOf>): void {
    const finishedAt = new Date(this.#now).toISOString();
    if (live === 'Healthy') {
      const { verify } = deployment;
      const its = verify === undefined ? {} : { verify: verifyFrom(verify, new Date(this.#now)) };
      record.deployment = { ...deployment, ...its, outcome: 'Succeeded', finishedAt };
      if (verify === undefined) record.succeeded = candidateKey(deployment.candidate);
    } else if (this.#now >= Date.parse(deployment.startedAt) + TIMEOUT_MS)
      record.deployment = { ...deployment, outcome: 'Failed', finishedAt, message: 'Not healthy in time.' };
  }

  #noteAsked(environment: Environment, candidate: Candidate): void {
    const record = this.#record(environment);
    const governance = this.#governance(environment);
    if (governance.is !== 'InStage') return;
    record.governed = true;
    const runs = record.deployment?.candidate;
    if (runs !== undefined && candidateKey(runs) === candidateKey(candidate)) delete record.waiting;
    if (!governance.isFollowed) return;
    const others = [...this.records.values()].filter((one) => one !== record);
    const ask = { asked: askedFor(this.#newest()), digest: candidate.digest };
    record.asks = withAsk(record.asks ?? [], ask, others);
  }

  /** When it is to be looked at again by itself, or something happens in its cluster. */
  #wakeOf(environment: Environment, { mayEnterAt, gatesChangeAt }: Judged): number {
    const { deployment } = this.#record(environment);
    const verified = verifyEndsAt(deployment?.verify, TIMEOUT_MS);
    const said = earliest(mayEnterAt, gatesChangeAt, verified)?.getTime() ?? Number.POSITIVE_INFINITY;
    if (deployment === undefined) return said;
    const since = Date.parse(deployment.startedAt);
    const { takes, breaksAfter, wellAfter } = this.#commitOf(deployment).fates[environment];
    const broken = since + takes + breaksAfter;
    const turns = [since + TIMEOUT_MS, since + takes, broken, broken + wellAfter];
    return Math.min(...[said, ...turns].filter((at) => at > this.#now), Number.POSITIVE_INFINITY);
  }

  /** What is said to persons, in the order in which the operator says it. */
  #answer(environment: Environment, { promoted }: Judged): void {
    const run = this.#run(environment);
    const commanded = commandedIn(run);
    const { waits } = commanded;
    const isJudged = waits !== undefined && promoted?.command.uid === waits.uid;
    const isHeard = isJudged && promoted?.refusal === undefined && promoted?.candidate !== undefined;
    const ended = waits === undefined || isHeard ? commanded.ended : endedUnheard(commanded);
    for (const { command, phase } of ended) this.#end(environment, command, phase);
    for (const { command, phase, deployment } of commanded.begun) {
      this.#end(environment, command, phase);
      this.#replace(
        environment,
        command,
        deployment === undefined ? command : { ...command, deployment: deployment.id },
      );
    }
    for (const { uid, phase } of this.#record(environment).answered ?? []) {
      const command = this.#pending.get(environment)?.find((one) => one.uid === uid);
      if (command !== undefined) this.#end(environment, command, phase);
    }
    if (!isJudged) return;
    const runs = this.#record(environment).deployment;
    const isThere =
      promoted?.candidate !== undefined &&
      runs !== undefined &&
      candidateKey(runs.candidate) === candidateKey(promoted.candidate) &&
      runs.outcome !== 'Failed' &&
      runs.outcome !== 'Cancelled';
    if (promoted?.refusal !== undefined) this.#end(environment, waits, 'Failed');
    else if (isThere)
      this.#end(environment, waits, runs.outcome === 'Succeeded' ? 'Succeeded' : 'Superseded');
    else assertSays(promoted?.blockedBy ?? [], `${waits.type} ${waits.promotion}`, this.#now);
  }

  #end(environment: Environment, command: Command, phase: PromotionPhase): void {
    if (!isFinished(phase)) return;
    this.ended.set(command.promotion, phase);
    const others = this.#pending.get(environment)?.filter((one) => one.uid !== command.uid);
    this.#pending.set(environment, others ?? []);
  }

  #replace(environment: Environment, { uid }: Command, by: Command): void {
    const all = this.#pending.get(environment)?.map((one) => (one.uid === uid ? by : one));
    this.#pending.set(environment, all ?? []);
  }

  /** Nothing waits, or is under way, without why or until when. */
  #saysWhy(environment: Environment, { blockedBy }: Judged): void {
    const { deployment, hold } = this.#record(environment);
    assert.notEqual(this.ended.get(hold?.promotion ?? ''), 'Cancelled', 'what was taken back holds nothing');
    const wanted = this.#wanted(environment);
    const isNewest =
      deployment !== undefined &&
      wanted !== undefined &&
      candidateKey(deployment.candidate) === candidateKey(wanted);
    if (wanted !== undefined && !isNewest) assertSays(blockedBy, `${environment}: the newest`, this.#now);
    const { waits, takesBack, begun } = commandedIn(this.#run(environment));
    for (const one of this.#pending.get(environment) ?? []) {
      const its = begun.find(({ command }) => command.uid === one.uid);
      const goesOn = its?.deployment !== undefined && its.deployment === deployment;
      assert.ok(goesOn || one === waits || one === takesBack, `${one.type} ${one.promotion} is left lying`);
      assert.ok(
        !goesOn || (this.#wakes.get(environment) ?? 0) < Number.POSITIVE_INFINITY,
        'it has a deadline',
      );
    }
  }

  #note(environment: Environment, candidate: Candidate, by: Command | undefined, way: 'In' | 'Back'): void {
    const commit = this.#candidates.get(candidateKey(candidate))?.of;
    assert.ok(commit !== undefined);
    const hasRun = this.#record(environment).ran.includes(candidateKey(candidate));
    assert.ok(way === 'In' || hasRun, 'nothing new enters by going back');
    const records = new Map([...this.records].map(([one, record]) => [one, { ...record }] as const));
    const before = { ...this.#record(environment) };
    const governance = this.#governance(environment);
    const { digest } = candidate;
    this.begun.push({
      environment,
      commit,
      digest,
      at: this.#now,
      by,
      isBack: way === 'Back',
      governance,
      governances: this.#governances,
      before,
      records,
    });
  }

  #run(environment: Environment): Run {
    const record = this.#record(environment);
    let known: Candidate[] | undefined;
    const kept = () => (known ??= this.#keptIn(record));
    const store = {
      recordsOf: () => [...this.records.values()],
      candidatesOf: kept,
      save: async () => undefined,
      manifests: async () => ({ objects: [], hooks: [] }),
    };
    const { metadata, spec } = APPLICATION;
    return {
      parts: {
        commands: { given: () => this.#pending.get(environment) ?? [], unknown: () => undefined },
        store,
        evidence: this.#evidence,
        openings: this.#openings,
        approvals: {
          admission: { is: 'Enforced', since: new Date(0) },
          unused: (_: string, digest: string) =>
            (this.#said.get(digest) ?? []).filter(({ uid }) => !this.#used.has(uid)),
          unseen: () => undefined,
        },
        ledger: { nameOf: () => undefined },
        lookup: () => undefined,
        specifiedTargets: () => ENVIRONMENTS.map((one) => this.#target(one)),
      },
      application: { metadata, spec },
      target: this.#target(environment),
      context: {
        record,
        store,
        now: () => new Date(this.#now),
        signal: new AbortController().signal,
        ...this.#clusterOf(environment),
      },
      underWay: { asked: askedFor(this.#newest()) },
    } as unknown as Run;
  }

  #target(environment: Environment) {
    return {
      ...identityOf(environment),
      governance: this.#governance(environment),
      gates: this.#gates[environment] ?? {},
      freezes: [],
      settings: { mode: 'Automatic', timeoutMs: TIMEOUT_MS },
    };
  }

  /** What is applied there, of which one object stands for all. */
  #clusterOf(environment: Environment) {
    const live = () => {
      const { deployment } = this.#record(environment);
      const since = Date.parse(deployment?.startedAt ?? '');
      return deployment && healthOf(this.#commitOf(deployment), environment, since, this.#now);
    };
    const of = () => new Map([['web', { ...APPLIED, health: { state: live() } }]]);
    const inventory = { of, watches: { unseen: () => undefined } };
    return { inventory, access: { targetId: environment, targetName: environment } };
  }

  #keptIn(record: TargetRecord): Candidate[] {
    return [...new Set(namedIn(record))].flatMap((key) => this.#candidates.get(key) ?? []);
  }

  #wanted(environment: Environment): Candidate | undefined {
    const commit = this.#newest();
    if (commit === undefined) return undefined;
    const revision = String(commit.number);
    const known = this.#wantedOnce.get(`${environment} ${revision}`);
    if (known !== undefined) return known;
    const [id, digest] = [digestOf(`candidate ${revision}`), manifestsOf(environment, commit.number)];
    const candidate = { id, digest, revision, inputs: id, request: id, ref: 'refs/heads/main', of: commit };
    this.#candidates.set(candidateKey(candidate), candidate);
    this.#wantedOnce.set(`${environment} ${revision}`, candidate);
    return candidate;
  }

  #newest(): Commit | undefined {
    return this.#commits[this.#known];
  }

  #commitOf({ candidate }: Deployment): Commit {
    const commit = this.#commits[Number(candidate.revision)];
    assert.ok(commit !== undefined);
    return commit;
  }

  #record(environment: Environment): TargetRecord {
    const record = this.records.get(environment);
    assert.ok(record !== undefined);
    return record;
  }

  #governance(environment: Environment): Governance {
    return this.#governances.get(environment) ?? { is: 'Free' };
  }
}

const SEEN = { sight: 'Seen', lookedAfter: { how: 'Confirmed' } };

function found(candidate: Candidate): Findings {
  return { sight: 'Seen', wanted: { candidate } } as unknown as Findings;
}

function askedFor(commit: Commit | undefined): string {
  return `asked ${commit?.number ?? ''}`;
}

/** As `candidateKey` has it. */
/** Digest of what a commit comes to there. */
function manifestsOf(environment: Environment, commit: number): string {
  return digestOf(`${environment} ${commit}`);
}

function digestIn(key: string): string {
  return key.split(' ')[1] ?? '';
}

/** What a user reads of what waits; what time clears says when, but for what only counts while it is healthy. */
function assertSays(blockedBy: readonly BlockedBy[], what: string, now: number): void {
  assert.ok(blockedBy.length > 0, `${what} waits, and nothing says for what`);
  for (const { reason, message, remedy, clearsAt } of blockedBy) {
    assert.notEqual(message, '');
    if (clearsAt !== undefined) assert.ok(clearsAt.getTime() >= now, `${what}: ${reason} has cleared`);
    else
      assert.ok(
        remedy !== 'Time' || reason === 'Soak' || reason === 'Order',
        `${what}: ${reason} never clears`,
      );
  }
}

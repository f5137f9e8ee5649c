import { TowpathError } from '../../api/errors.ts';
import {
  type BaseReference,
  MissingBases,
  type Rendered,
  type RenderTree,
  TreeWithBases,
} from '../../render/renderer.ts';
import { isAllowedRepository } from '../../source/allowed-repositories.ts';
import type { Access, GitRef, Repository, Resolved, Sources } from '../../source/sources.ts';
import { printable } from '../../source/text.ts';
import { type BasePin, pinnedBase } from '../record/base-pins.ts';
import type { Target } from '../record/target.ts';
import type { BaseAccess } from './base-access.ts';
import { patienceWith, patiently } from './patience.ts';
import { Quarantine } from './quarantine.ts';
import { RefMemory, type SettledRefs } from './settled-refs.ts';

/** Repositories with a ref each that one kustomization is made of. */
const MOST_BASES = 20;
/** How far bases refer to bases in further repositories. */
const MOST_ROUNDS = 8;
/** Nobody follows what they have: refs are asked for as they are needed. */
const POLL_MS = 60 * 60_000;

const SHA1 = /^[0-9a-f]{40}$/i;

export interface BaseTerms {
  /** Of the Application. */
  key: string;
  target: Pick<Target, 'name' | 'allowedRepositories'>;
  /** Candidates whose manifests are kept: with any, it is not kept waiting for a Git server (A4). */
  kept: readonly unknown[];
  /** At which commits those were that the Application was rendered with before. */
  basePins: readonly BasePin[];
  accessFor: BaseAccess;
  /** What a server said before, on the clock of performance.now(), may be older than the commit that is rendered. */
  askedSince: number;
}

export type BaseSources = Pick<Sources, 'watch' | 'unwatch'>;

/** Brings the repositories that kustomizations refer to besides their own. */
export class RemoteBases {
  readonly #sources: BaseSources;
  readonly #refs = new RefMemory();
  /** By the names of targets those who are subscribed for them. */
  readonly #subscribers = new Map<string, Set<string>>();

  constructor(sources: BaseSources) {
    this.#sources = sources;
  }

  /**
   * Renders a commit with all that it needs of other repositories.
   *
   * @param render renders a tree; @throws Quarantine of MissingBases for what that lacks
   */
  async render<Whole extends Rendered>(
    terms: BaseTerms,
    tree: RenderTree,
    render: (whole: RenderTree) => Promise<Whole>,
    signal: AbortSignal,
  ): Promise<Whole & { bases?: readonly BasePin[] }> {
    const bases = this.#begin(terms, tree);
    try {
      const rendered = await this.#rendered(bases, render, signal);
      bases.end('Rendered');
      const warnings = [...rendered.warnings, ...bases.warnings];
      return bases.pins.length === 0 ? rendered : { ...rendered, warnings, bases: bases.pins };
    } catch (error) {
      bases.end('Failed');
      throw error;
    }
  }

  /** What a render lacks it tells bit by bit: other repositories may refer to others. */
  async #rendered<Whole>(
    bases: BasesOfRender,
    render: (whole: RenderTree) => Promise<Whole>,
    signal: AbortSignal,
  ): Promise<Whole> {
    for (;;) {
      try {
        return await render(bases.tree);
      } catch (error) {
        if (!(error instanceof Quarantine && error.error instanceof MissingBases)) throw error;
        await bases.fetch(error.error.bases, signal);
      }
    }
  }

  #begin(terms: BaseTerms, tree: RenderTree): BasesOfRender {
    const refs = this.#refs.of(terms.key, terms.basePins, tree.revision);
    const { name } = terms.target;
    return new BasesOfRender(terms, tree, refs, {
      watch: (access) => {
        const subscriber = `${name} ${idOfAccess(access)}`;
        const subscribers = this.#subscribers.get(name) ?? new Set();
        this.#subscribers.set(name, subscribers.add(subscriber));
        return this.#sources.watch(subscriber, access, POLL_MS, () => undefined);
      },
      keep: (used) => this.#keep(name, new Set(used.map((access) => `${name} ${idOfAccess(access)}`))),
    });
  }

  forgetTarget(name: string): void {
    this.#keep(name, new Set());
  }

  forget(application: string): void {
    this.#refs.forget(application);
    for (const name of this.#subscribers.keys())
      if (name.startsWith(`${application}/`)) this.forgetTarget(name);
  }

  /** Ends the polls of all repositories. Another process may look after what this one did. */
  clear(): void {
    this.#refs.clear();
    for (const name of this.#subscribers.keys()) this.forgetTarget(name);
  }

  #keep(name: string, kept: ReadonlySet<string>): void {
    const subscribers = this.#subscribers.get(name);
    for (const subscriber of subscribers ?? []) {
      if (kept.has(subscriber)) continue;
      this.#sources.unwatch(subscriber);
      subscribers?.delete(subscriber);
    }
    if (subscribers?.size === 0) this.#subscribers.delete(name);
  }
}

interface Subscriptions {
  watch(access: Access): Repository;
  /** Those that are needed on. */
  keep(used: readonly Access[]): void;
}

/** What the Application's own repository refers to, another one may as well, without the credential. */
function idOfAccess({ url, credential }: Access): string {
  return credential === undefined ? url : `${url} with a credential`;
}

/** What one render needs of other repositories; what that is it tells bit by bit. */
class BasesOfRender {
  readonly #terms: BaseTerms;
  readonly #own: RenderTree;
  readonly #refs: SettledRefs;
  readonly #subscriptions: Subscriptions;
  readonly #trees = new Map<string, RenderTree>();
  /** By repository and ref. */
  readonly #pins = new Map<string, BasePin | undefined>();
  readonly #used: Access[] = [];
  readonly #warnings = new Set<string>();
  /** Folders of what was read with the Application's credential. */
  readonly #trusted = new Set(['']);
  #rounds = 0;

  constructor(terms: BaseTerms, own: RenderTree, refs: SettledRefs, subscriptions: Subscriptions) {
    this.#terms = terms;
    this.#own = own;
    this.#refs = refs;
    this.#subscriptions = subscriptions;
  }

  /** The commit's, with what was fetched until now. */
  get tree(): RenderTree {
    return this.#trees.size === 0 ? this.#own : new TreeWithBases(this.#own, this.#trees);
  }

  get pins(): readonly BasePin[] {
    return [...this.#pins.values()].flatMap((pin) => pin ?? []);
  }

  /** What nobody pinned in Git is told, though it stays what it is. */
  get warnings(): readonly string[] {
    return [...this.pins.flatMap(floatingWarning), ...this.#warnings];
  }

  /** @throws TowpathError, or the signal's reason. */
  async fetch(bases: readonly BaseReference[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#refuseTooMany(bases);
    for (const base of bases) refuseForeign(base, this.#terms.target.allowedRepositories);
    const fetch = (limited: AbortSignal) => Promise.all(bases.map((base) => this.#fetch(base, limited)));
    await patiently(patienceWith(this.#terms.kept), signal, fetch, (seconds) => {
      const servers = [...new Set(bases.map(({ repository }) => printable(repository, 200)))].slice(0, 3);
      return `The Git server of ${servers.join(', ')}, to which the kustomization refers, has not answered for ${seconds} s`;
    });
  }

  /** It rendered, or not: what it needs is remembered, or may be looked up anew. */
  end(outcome: 'Rendered' | 'Failed'): void {
    if (outcome === 'Failed') this.#refs.release(this.pins);
    else {
      this.#refs.confirm(this.pins);
      this.#subscriptions.keep(this.#used);
    }
  }

  #refuseTooMany(bases: readonly BaseReference[]): void {
    this.#rounds += 1;
    for (const base of bases) if (!this.#pins.has(idOf(base))) this.#pins.set(idOf(base), undefined);
    const invalid = (what: string) =>
      new TowpathError('Person', 'KustomizationInvalid', `${what} Copy some of them into the repository.`);
    if (this.#pins.size > MOST_BASES)
      throw invalid(
        `The kustomization is made of more than ${MOST_BASES} other repositories, each of their refs counted.`,
      );
    if (this.#rounds > MOST_ROUNDS)
      throw invalid(
        `The kustomization refers to repositories that refer to others, more than ${MOST_ROUNDS} deep.`,
      );
  }

  async #fetch(base: BaseReference, signal: AbortSignal): Promise<void> {
    try {
      const askedBy = this.#trusted.has(base.within) ? 'Its own' : 'Another';
      const { access, isTrusted } = this.#terms.accessFor(base.repository, askedBy);
      this.#used.push(access);
      const repository = this.#subscriptions.watch(access);
      const resolved = await this.#resolve(base, repository, signal);
      const tree = await repository.open(resolved, signal);
      this.#noteMoved(base, repository, resolved);
      if (isTrusted) this.#trusted.add(base.folder);
      this.#trees.set(base.folder, tree);
    } catch (error) {
      throw namingBase(error, base);
    }
  }

  async #resolve(base: BaseReference, repository: Repository, signal: AbortSignal): Promise<Resolved> {
    if (SHA1.test(base.ref)) return { commit: base.ref.toLowerCase(), ref: '' };
    const pin = this.#refs.find(base) ?? (await this.#lookUp(base, repository, signal));
    this.#pins.set(idOf(base), pin);
    return { commit: pin.commit, ref: pin.name };
  }

  async #lookUp(base: BaseReference, repository: Repository, signal: AbortSignal): Promise<BasePin> {
    const { sentAt, error, advertisement } = repository;
    const isKnown = sentAt !== undefined && advertisement !== undefined && error === undefined;
    if (!isKnown || sentAt < this.#terms.askedSince) await repository.poll(signal);
    const { commit, ref: name } = found(base, repository);
    const isTag = name.startsWith('refs/tags/');
    return this.#refs.settle({
      repository: pinnedBase(base.repository),
      ref: base.ref,
      commit,
      name,
      ...(isTag ? {} : { revision: this.#own.revision }),
    });
  }

  /** Told where it is known by the way: nobody is asked for it. */
  #noteMoved({ repository: url }: BaseReference, repository: Repository, { commit, ref }: Resolved): void {
    if (!ref.startsWith('refs/tags/')) return;
    const now = repository.find({ tag: ref.slice('refs/tags/'.length) });
    if (now === undefined || 'missing' in now || now.commit === commit) return;
    this.#warnings.add(
      `the tag ${shownRef(ref)} of ${printable(url, 200)} was moved to ${now.commit.slice(0, 7)}; ${commit.slice(0, 7)} is used, as before: name the commit, or another tag, to have that`,
    );
  }
}

function idOf({ repository, ref }: Pick<BaseReference, 'repository' | 'ref'>): string {
  return JSON.stringify([pinnedBase(repository), ref]);
}

function shownRef(name: string): string {
  return printable(name.replace(/^refs\/(heads|tags)\//, ''), 100);
}

function floatingWarning({ repository, commit, name, revision }: BasePin): string[] {
  if (revision === undefined) return [];
  return [
    `a kustomization refers to ${printable(repository, 200)} without a tag or commit; ${commit.slice(0, 7)} of ${shownRef(name)} is used, until the Application's source has another commit. Write ?ref= with a tag or commit behind the URL to decide yourself`,
  ];
}

/** As Git has it: a tag goes before a branch of the same name. */
function found({ ref, repository: url }: BaseReference, repository: Repository): Resolved {
  for (const wanted of meantBy(ref)) {
    const one = repository.find(wanted);
    if (one !== undefined && !('missing' in one)) return one;
  }
  if (ref === '' || ref === 'HEAD') return repository.resolve({});
  throw new TowpathError(
    'Person',
    'RefNotFound',
    `The repository ${printable(url, 200)} has neither a tag nor a branch "${printable(ref, 100)}". Correct what stands behind ?ref=; a commit is written with all of its 40 digits.`,
  );
}

function meantBy(ref: string): GitRef[] {
  if (ref === '' || ref === 'HEAD') return [{}];
  const [, kind, name = ''] = /^(?:refs\/)?(heads|tags)\/(.+)$/s.exec(ref) ?? [];
  const full: GitRef[] = kind === undefined ? [] : [kind === 'tags' ? { tag: name } : { branch: name }];
  return [...full, { tag: ref }, { branch: ref }];
}

/** Which of several repositories it is about, and where that is asked for. */
function namingBase(error: unknown, { url, file }: BaseReference): unknown {
  if (!(error instanceof TowpathError)) return error;
  const { remedy, reason, message, details, next, advice } = error;
  const hint =
    reason === 'AuthenticationFailed' || reason === 'RepositoryNotFound'
      ? ' For it the credential of spec.source is used only where it is on the host of spec.source.repoURL.'
      : '';
  return new TowpathError(
    remedy,
    reason,
    `${message} ${printable(file, 200)} refers to it as ${printable(url, 300)}.${hint}`,
    { cause: error, details, next, advice },
  );
}

function refuseForeign(
  { repository, url, file }: BaseReference,
  allowed: readonly string[] | undefined,
): void {
  if (allowed === undefined || isAllowedRepository(allowed, repository)) return;
  throw new TowpathError(
    'Resource',
    'RepositoryNotAllowed',
    `The Environment takes nothing from the repository ${printable(url, 300)}, to which ${printable(file, 200)} refers: what runs stays. Who runs it can add the repository to its spec.allowedRepositories, or copy what is there into the Application's own.`,
  );
}

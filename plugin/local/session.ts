import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { commandOn, keyOf, readApplication } from '../application.ts';
import { type ApiServer, withApiServer } from '../cluster/api-server.ts';
import { discover, type Served } from '../cluster/discovery.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { Kubectl } from '../kubectl.ts';
import { known } from '../text/known.ts';
import { type Clone, readClone } from './clone.ts';
import { withFetched } from './fetched.ts';
import { type Landing, landingOf } from './landing.ts';
import { environmentMeant } from './place.ts';

/** An Application in one environment, a clone, and the clusters, for as long as a command looks at them. */
export interface LocalSession {
  application: Application;
  landing: Landing;
  clone: Clone;
  /** With the Application. */
  server: ApiServer;
  /** With its objects; the same, but for an Environment in another cluster. */
  target: ApiServer;
  served: Served;
  /** Whether the objects' own cluster is asked. */
  isTargetAsked: boolean;
  /** What is not known because of that. */
  unknown: readonly string[];
  signal: AbortSignal;
}

interface Asking {
  kubectl: Kubectl;
  /** Of the command line: APP [ENV]. */
  words: readonly string[];
  flags: { readonly local?: string; readonly 'target-context'?: string };
  signal: AbortSignal;
}

/**
 * Of the clone that `--local` names, or else of the commit that the Application wants there.
 *
 * @throws CommandError where there is no such Application, environment, clone or commit.
 */
export async function withFiles<T>(context: Asking, work: (session: LocalSession) => Promise<T>): Promise<T> {
  const { kubectl, words, flags, signal } = context;
  const [name = '', environmentName] = words;
  const application = await readApplication(kubectl, name, signal);
  const environment = environmentMeant(application, environmentName);
  const { repoURL } = repositoryOf(application);
  const withClone = async (clone: Clone) => withServers(context, { application, environment, clone }, work);
  if (flags.local !== undefined) return withClone(await readClone(flags.local));
  return withFetched(wantedOf(application, environment, repoURL), signal, withClone);
}

/** @throws CommandError where what renders is in no repository of Git */
function repositoryOf(application: Application): NonNullable<Application['spec']['source']> {
  const { metadata, spec } = application;
  const { source, helm } = spec;
  if (source !== undefined && helm?.chart === undefined) return source;
  const { name = '', repoURL = '', version = '' } = helm?.chart ?? {};
  const where = repoURL.startsWith('oci://') ? `${repoURL}/${name}` : `${name} --repo ${repoURL}`;
  throw new CommandError(
    `What ${keyOf(application)} renders is chart ${name} of ${repoURL}, which no clone has: the operator fetches it, and kubectl towpath does not. To see what comes of it: helm template ${helm?.releaseName ?? metadata.name} ${where} --version '${version}', with your values.`,
    EXIT.Unknown,
  );
}

/** @throws CommandError where no commit is known */
function wantedOf(application: Application, environment: string, url: string) {
  const { spec, status } = application;
  const { desiredRevision, revision } = environmentOf(status, environment) ?? {};
  const commit = desiredRevision ?? revision ?? status?.source?.revision;
  if (commit === undefined)
    throw new CommandError(
      `No commit is known yet that ${keyOf(application)} wants in environment ${environment}: ${commandOn(application, 'why')} says what it waits for. For a clone of yours: --local DIR.`,
    );
  // What follows another ref is found by its id, or not at all.
  const hasRef = spec.environments?.some((one) => one.name === environment && one.ref !== undefined);
  return { url, commit, ref: hasRef === true ? undefined : status?.source?.ref };
}

function withServers<T>(
  context: Asking,
  { application, environment, clone }: { application: Application; environment: string; clone: Clone },
  work: (session: LocalSession) => Promise<T>,
): Promise<T> {
  return withApiServer(context, async (server) => {
    const landing = await landingOf(server, application, environment);
    const common = { application, landing, clone, server, signal: context.signal };
    return withTarget(context, landing, server, async (asked) =>
      work({ ...common, ...asked, served: await discover(asked.target) }),
    );
  });
}

function otherCluster({ environment }: Landing): string {
  return `Environment ${environment} is another cluster: its version and kinds are not known, and those of the cluster with the Application stand for them. Name the context of your kubeconfig that reaches it: --target-context=CONTEXT.`;
}

/** Asks the cluster that the objects are in, where a context of the user's kubeconfig is said to reach it. */
async function withTarget<T>(
  { kubectl, flags, signal }: Asking,
  landing: Landing,
  server: ApiServer,
  work: (asked: Pick<LocalSession, 'target' | 'isTargetAsked' | 'unknown'>) => Promise<T>,
): Promise<T> {
  const named = flags['target-context'];
  if (named === undefined) {
    const isTargetAsked = !landing.isElsewhere;
    return work({ target: server, isTargetAsked, unknown: isTargetAsked ? [] : [otherCluster(landing)] });
  }
  const contexts = await kubectl.contexts(signal);
  if (!contexts.includes(named))
    throw new CommandError(
      `--target-context=${named} is no context of your kubeconfig; there are: ${known(contexts)}.`,
      EXIT.Usage,
    );
  return withApiServer({ kubectl: kubectl.inContext(named), signal }, async (target) => {
    const unknown = await checkCluster(server, target, landing, named);
    return work({ target, isTargetAsked: true, unknown });
  });
}

/**
 * What is not known of whether the context reaches the cluster of the objects.
 *
 * @throws CommandError where it is another one
 */
async function checkCluster(
  home: ApiServer,
  target: ApiServer,
  { environment, clusterUid, isElsewhere, isKnown }: Landing,
  named: string,
): Promise<string[]> {
  const isHome = isKnown && !isElsewhere;
  const [wanted, found] = await Promise.all([isHome ? uidOf(home) : clusterUid, uidOf(target)]);
  if (wanted !== undefined && found !== undefined && wanted !== found)
    throw new CommandError(
      isHome
        ? `The objects of environment ${environment} are in the cluster with the Application, and the context ${named} is another one: leave out --target-context.`
        : `The context ${named} is another cluster than Environment ${environment}: name the one that reaches it with --target-context.`,
    );
  if (wanted !== undefined && found !== undefined) return [];
  const why =
    found === undefined || isHome
      ? 'your rights do not show namespace kube-system, by whose uid a cluster is known'
      : 'the status of the Environment does not say yet which one that is, or your rights do not show it';
  return [`It is not known whether the context ${named} reaches the cluster of ${environment}: ${why}.`];
}

/** By which a cluster is known: the uid of its namespace kube-system; undefined where it may not be read. */
async function uidOf(server: ApiServer): Promise<string | undefined> {
  const { status, text } = await server.send('/api/v1/namespaces/kube-system');
  if (status !== 200) return undefined;
  const { metadata } = JSON.parse(text) as { metadata: { uid: string } };
  return metadata.uid;
}

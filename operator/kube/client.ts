import { existsSync } from 'node:fs';
import { Slices } from '../observe/event-loop-slices.ts';
import { errorOf, malformed, objectIn, parsed } from './answers.ts';
import { type Call, type CallOptions, Connection, type ConnectionOptions, type Verb } from './connection.ts';
import {
  type AccessSource,
  Credentials,
  kubeConfigByDefault,
  kubeConfigFromFile,
  parseKubeConfig,
} from './credentials.ts';
import { isGone } from './errors.ts';
import { parseList } from './list-text.ts';
import { describePath, type KubeObject, type ObjectPath, urlPath } from './objects.ts';
import type {
  ApplyOptions,
  DeleteOptions,
  ListOptions,
  ListPage,
  ServerVersion,
  WatchOptions,
  WriteOptions,
} from './options.ts';
import type { StreamListener, WireAnswer, WireHead } from './transport.ts';

export type { CallOptions, RequestRecord, Verb } from './connection.ts';
export type {
  KubeObject,
  ManagedFieldsEntry,
  ObjectMetadata,
  ObjectPath,
  OwnerReference,
  Resource,
  ResourceName,
  ServiceAccount,
} from './objects.ts';
export type * from './options.ts';

export type ClientOptions = ConnectionOptions;

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;q=0.5';
const METADATA_LIST =
  'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;q=0.5';
const PAGE = 500;

/** Bookmarks come about once a minute: a watch that says nothing for longer is half-open. */
const SILENCE_MS = 90_000;

/**
 * The API server's verbs. Every call has a timeout and takes an AbortSignal. Calls reject with ApiError (an answer
 * other than 2xx), UnreachableError (no answer), NotLeaderError (a write without the Lease) or the signal's reason.
 */
export class KubeClient {
  /** How long a watch may be silent before it is renewed. Milliseconds. */
  readonly silenceMs: number;
  /** Told what a watch could not take in. */
  readonly onWatchFault: (plural: string, error: Error) => void;
  /** Shared with all else that takes long. */
  readonly slices: Slices;
  readonly #connection: Connection;

  constructor(credentials: AccessSource, options: ClientOptions = {}) {
    this.silenceMs = options.silenceMs ?? SILENCE_MS;
    this.onWatchFault = options.onWatchFault ?? (() => undefined);
    this.slices = options.slices ?? new Slices();
    this.#connection = new Connection(credentials, options);
  }

  /** From a kubeconfig's path (read again when credentials are refused) or its text. */
  static fromKubeConfig(textOrPath: string, options?: ClientOptions): KubeClient {
    const isPath = !textOrPath.includes('\n') && existsSync(textOrPath);
    const load = () => (isPath ? kubeConfigFromFile(textOrPath) : parseKubeConfig(textOrPath));
    return new KubeClient(new Credentials(load), options);
  }

  /** From $KUBECONFIG, else the Pod's own ServiceAccount, else ~/.kube/config. */
  static load(options?: ClientOptions): KubeClient {
    return new KubeClient(new Credentials(kubeConfigByDefault), options);
  }

  async get(path: ObjectPath, options: CallOptions = {}): Promise<KubeObject> {
    return objectIn(await this.#call('get', 'GET', path, '', {}, options), path);
  }

  /** The object as the JSON text that the API server sent, for numbers that JSON.parse cannot hold. */
  async getText(path: ObjectPath, options: CallOptions = {}): Promise<string> {
    return (await this.#call('get', 'GET', path, '', {}, options)).text;
  }

  /** The object as PartialObjectMetadata: its metadata only. */
  async getMetadata(path: ObjectPath, options: CallOptions = {}): Promise<KubeObject> {
    return objectIn(await this.#call('get', 'GET', path, '', { accept: METADATA }, options), path);
  }

  /** All pages. Where the continue token runs out underway (410), all is listed again in one page. */
  async list(
    path: ObjectPath,
    list: ListOptions = {},
    options: CallOptions = {},
  ): Promise<{ items: KubeObject[]; resourceVersion: string }> {
    const first = await this.listPage(path, list, '', options);
    const items = first.items;
    for (let next = first.continue; next !== ''; ) {
      let page: ListPage;
      try {
        page = await this.listPage(path, list, next, options);
      } catch (error) {
        if (!isGone(error)) throw error;
        return this.listPage(path, { ...list, limit: 0 }, '', options);
      }
      for (const item of page.items) items.push(item);
      next = page.continue;
    }
    return { items, resourceVersion: first.resourceVersion };
  }

  /** One page, from a continue token or '' for the first. Items get the apiVersion and kind that lists leave out. */
  async listPage(
    path: ObjectPath,
    list: ListOptions,
    continueToken: string,
    options: CallOptions = {},
  ): Promise<ListPage> {
    const query = selection(list);
    const limit = list.limit ?? PAGE;
    if (limit > 0) query.set('limit', String(limit));
    if (continueToken !== '') query.set('continue', continueToken);
    const more = list.metadataOnly === true ? { accept: METADATA_LIST } : {};
    const answer = await this.#call('list', 'GET', path, `?${query}`, more, options);
    const body = await parseList(answer.text, this.slices).catch(() => {
      throw malformed(path);
    });
    const items = body.items ?? [];
    for (const item of items) {
      item.apiVersion ??= body.apiVersion ?? '';
      item.kind ??= (body.kind ?? '').replace(/List$/, '');
    }
    return {
      items,
      resourceVersion: body.metadata?.resourceVersion ?? '',
      continue: body.metadata?.continue ?? '',
    };
  }

  /** Opens a watch; resolves when the server ends it, rejects with ApiError where it refuses it. */
  async watch(
    path: ObjectPath,
    watch: WatchOptions,
    listener: StreamListener,
    options: CallOptions = {},
  ): Promise<WireHead> {
    const query = selection(watch);
    query.set('watch', 'true');
    query.set('allowWatchBookmarks', 'true');
    query.set('resourceVersion', watch.resourceVersion);
    query.set('timeoutSeconds', String(watch.timeoutSeconds));
    const accept = watch.metadataOnly === true ? METADATA : 'application/json';
    const call = this.#describe('watch', 'GET', path, `?${query}`, { accept });
    const answer = await this.#connection.stream(call, options, watch.silenceMs, listener);
    if (answer.status !== 200) throw errorOf(answer, path.resource.plural);
    return answer;
  }

  /** POST. The object's manager entry is an Update, never an Apply: for desired state use `apply`. */
  async create(
    path: ObjectPath,
    body: object | string,
    write: WriteOptions = {},
    options: CallOptions = {},
  ): Promise<KubeObject> {
    return objectIn(
      await this.#write('create', 'POST', path, body, 'application/json', write, options),
      path,
    );
  }

  /** PUT; with metadata.resourceVersion in the body it is conditional. */
  async replace(
    path: ObjectPath,
    body: object | string,
    write: WriteOptions = {},
    options: CallOptions = {},
  ): Promise<KubeObject> {
    return objectIn(await this.#write('update', 'PUT', path, body, 'application/json', write, options), path);
  }

  /**
   * Server-side apply; `text` (JSON or YAML) is sent byte for byte. On 1.37: with metadata.resourceVersion "1" in
   * it the object is created or, where it exists, refused (409); with metadata.uid it is updated and never created.
   */
  async apply(
    path: ObjectPath,
    text: string,
    write: ApplyOptions,
    options: CallOptions = {},
  ): Promise<KubeObject> {
    const answer = await this.#write(
      'apply',
      'PATCH',
      path,
      text,
      'application/apply-patch+yaml',
      write,
      options,
    );
    return objectIn(answer, path);
  }

  /** RFC 7386. With metadata.resourceVersion in the body it is conditional. */
  async mergePatch(
    path: ObjectPath,
    body: object | string,
    write: WriteOptions = {},
    options: CallOptions = {},
  ): Promise<KubeObject> {
    const type = 'application/merge-patch+json';
    return objectIn(await this.#write('patch', 'PATCH', path, body, type, write, options), path);
  }

  /** RFC 6902; a `test` operation that fails is a 422. */
  async jsonPatch(
    path: ObjectPath,
    body: readonly object[],
    write: WriteOptions = {},
    options: CallOptions = {},
  ): Promise<KubeObject> {
    const type = 'application/json-patch+json';
    return objectIn(await this.#write('patch', 'PATCH', path, body, type, write, options), path);
  }

  /**
   * Deletes one object. Returns it where finalizers or graceful deletion still hold it, undefined where it is gone.
   * An object that does not exist is an ApiError with code 404.
   */
  async delete(
    path: ObjectPath,
    { uid, resourceVersion, propagationPolicy, dryRun }: DeleteOptions = {},
    options: CallOptions = {},
  ): Promise<KubeObject | undefined> {
    if (path.name === undefined) throw new Error(`delete ${describePath(path)}: an object's name is needed`);
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions:
        uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion },
      propagationPolicy,
      dryRun: dryRun === true ? ['All'] : undefined,
    });
    const more = { body, contentType: 'application/json', dryRun: dryRun === true };
    const answer = await this.#call('delete', 'DELETE', path, '', more, options);
    const deleted: { kind?: string; metadata?: KubeObject['metadata'] } = parsed(answer, path);
    return deleted.kind === 'Status' || deleted.metadata === undefined ? undefined : objectIn(answer, path);
  }

  /** GET of a path outside resources (/version, discovery). A 304 is returned like a 200. */
  async getPath(
    path: string,
    ask: { accept?: string; ifNoneMatch?: string | undefined } = {},
    options: CallOptions = {},
  ): Promise<WireAnswer> {
    const call: Call = {
      verb: 'get',
      method: 'GET',
      path,
      group: '',
      plural: path.split('?', 1)[0] ?? path,
      ...ask,
    };
    const answer = await this.#connection.send(call, options);
    if (answer.status !== 304 && answer.status >= 300) throw errorOf(answer, call.plural);
    return answer;
  }

  /** The API server's time now (A13), to a few milliseconds; the local clock's before the first answer. */
  now(): Date {
    return this.#connection.clock.now();
  }

  async version(options: CallOptions = {}): Promise<ServerVersion> {
    const { gitVersion, major, minor }: ServerVersion = JSON.parse(
      (await this.getPath('/version', {}, options)).text,
    );
    return { gitVersion, major, minor };
  }

  /** Whether requests wait for one another: all connections are in use. */
  get saturated(): boolean {
    return this.#connection.saturated;
  }

  /**
   * Resolves when the writes that are under way now have ended, those included whose callers gave up waiting
   * (A7); `as`: only those made as this ServiceAccount. A write ends within 30 s at most.
   */
  writesEnded(options: Pick<CallOptions, 'as' | 'signal'> = {}): Promise<void> {
    return this.#connection.writesEnded(options);
  }

  /** Ends every connection; what is under way rejects. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  #describe(verb: Verb, method: Call['method'], path: ObjectPath, query: string, more: Partial<Call>): Call {
    const { group, plural } = path.resource;
    return {
      verb,
      method,
      path: urlPath(path) + query,
      group,
      plural,
      ...(path.subresource === undefined ? {} : { subresource: path.subresource }),
      ...more,
    };
  }

  async #call(
    verb: Verb,
    method: Call['method'],
    path: ObjectPath,
    query: string,
    more: Partial<Call>,
    options: CallOptions,
  ): Promise<WireAnswer> {
    const answer = await this.#connection.send(this.#describe(verb, method, path, query, more), options);
    if (answer.status >= 300 || answer.status < 200) throw errorOf(answer, path.resource.plural);
    return answer;
  }

  #write(
    verb: Verb,
    method: Call['method'],
    path: ObjectPath,
    body: object | string,
    contentType: string,
    write: WriteOptions & { force?: boolean },
    options: CallOptions,
  ): Promise<WireAnswer> {
    const query = new URLSearchParams();
    if (write.fieldManager !== undefined) query.set('fieldManager', write.fieldManager);
    if (write.fieldValidation !== undefined) query.set('fieldValidation', write.fieldValidation);
    if (write.force === true) query.set('force', 'true');
    if (write.dryRun === true) query.set('dryRun', 'All');
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const more = { body: text, contentType, dryRun: write.dryRun === true };
    return this.#call(verb, method, path, query.size === 0 ? '' : `?${query}`, more, options);
  }
}

function selection({ labelSelector, fieldSelector }: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  return query;
}

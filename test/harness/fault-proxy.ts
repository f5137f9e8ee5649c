import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Certificates, newCertificates } from './certificates.ts';
import { kubeConfigText } from './cluster.ts';
import { type Fault, type FaultRule, FaultRules, type HeldRequest } from './fault-rules.ts';
import { temporaryDirectory } from './process.ts';
import {
  matches,
  type RecordedRequest,
  type RequestMatch,
  recordRequest,
  type Verb,
} from './recorded-request.ts';
import { answerStatus, type WatchStream, watchStream } from './watch-stream.ts';

export type { Fault, FaultRule, HeldRequest } from './fault-rules.ts';
export type { RecordedRequest, RequestMatch, Verb } from './recorded-request.ts';

/** The API server behind a proxy; a ControlPlane is one. */
export interface Upstream {
  serverUrl: string;
  /** PEM text. */
  ca: string;
  adminToken: string;
}

const hosts = ['127.0.0.1', 'localhost'];

/**
 * A proxy in front of an API server that ends TLS itself and does harm on demand. It passes bearer tokens
 * and impersonation on; its kubeconfig has the admin's token, or the one that `admit` was given. HTTP/1.1 only, no upgrades (exec, attach).
 */
export async function startFaultProxy(upstream: Upstream): Promise<FaultProxy> {
  const proxy = new FaultProxy(upstream, temporaryDirectory('fault-proxy'), await newCertificates(hosts));
  await proxy.acceptConnections();
  return proxy;
}

export class FaultProxy {
  readonly kubeconfigPath: string;
  readonly #upstream: Upstream;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #rules = new FaultRules();
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<WatchStream>();
  #certificates: Certificates;
  #token: string;
  #requests: RecordedRequest[] = [];
  #received = 0;
  #aheadMs = 0;
  /** 0 until it listens; kept when it stops listening. */
  #port = 0;

  constructor(upstream: Upstream, directory: string, certificates: Certificates) {
    this.#upstream = upstream;
    this.#certificates = certificates;
    this.#token = upstream.adminToken;
    this.kubeconfigPath = join(directory, 'kubeconfig');
    this.#agent = new Agent({ keepAlive: true, ca: upstream.ca });
    this.#server = createServer({ key: certificates.serverKey, cert: certificates.serverCert });
    this.#server.on('connection', (socket: Socket) => {
      // One that waited in the backlog while the server closed would keep it from ever closing.
      if (!this.#server.listening) socket.resetAndDestroy();
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    this.#server.on('request', (request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  get port(): number {
    return this.#port;
  }

  get serverUrl(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The proxy's own authority, PEM text. */
  get ca(): string {
    return this.#certificates.ca;
  }

  get kubeConfigText(): string {
    return this.kubeConfigFor(this.#token);
  }

  /** Its kubeconfig has this bearer token from now on. @returns the kubeconfig's path. */
  admit(token: string): string {
    this.#token = token;
    writeFileSync(this.kubeconfigPath, this.kubeConfigText, { mode: 0o600 });
    return this.kubeconfigPath;
  }

  /** A kubeconfig through this proxy with another bearer token. */
  kubeConfigFor(token: string): string {
    return kubeConfigText({ serverUrl: this.serverUrl, ca: this.ca, token });
  }

  /** All requests since the start or `forget`, in order of arrival. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** Requests that match, of those recorded. */
  find(match: RequestMatch): RecordedRequest[] {
    return this.#requests.filter((request) => matches(match, request));
  }

  /** How many of the recorded requests there are of each verb. */
  counts(match: RequestMatch = {}): Partial<Record<Verb, number>> {
    const counts: Partial<Record<Verb, number>> = {};
    for (const { verb } of this.find(match)) counts[verb] = (counts[verb] ?? 0) + 1;
    return counts;
  }

  forget(): void {
    this.#requests = [];
  }

  /** Rules apply in the order given; all matching latencies add up, the first other fault decides. */
  fail(rule: RequestMatch & { fault: Fault; times?: number }): FaultRule {
    return this.#rules.fail(rule);
  }

  /** Stops the next request that matches, before it is passed on or (`at: 'response'`) before its answer is. */
  hold(match: RequestMatch & { at?: 'request' | 'response' }): HeldRequest {
    return this.#rules.hold(match);
  }

  /** Removes all rules, lets all held requests go. Watches that were stalled stay so. */
  clear(): void {
    this.#rules.clear();
  }

  /** The API server's clock, as its answers tell it, is so far ahead from now on; times in objects stay as they are. */
  setClockAhead(milliseconds: number): void {
    this.#aheadMs = milliseconds;
  }

  openWatches(match: RequestMatch = {}): number {
    return this.#watchesOf(match).length;
  }

  /** Open watches stay connected but carry nothing any more (half-open); returns how many. */
  stallWatches(match: RequestMatch = {}): number {
    return this.#watchesOf(match).map((watch) => watch.stall()).length;
  }

  /** Puts a line into open watches, between two events; returns into how many. */
  injectIntoWatches(line: string, match: RequestMatch = {}): number {
    return this.#watchesOf(match).map((watch) => watch.inject(line)).length;
  }

  /** Ends open watches with an ERROR event of 410 Gone; returns how many. */
  expireWatches(match: RequestMatch = {}): number {
    return this.#watchesOf(match).map((watch) => watch.expire()).length;
  }

  /** Listens, after `refuseConnections` on the same port again. */
  async acceptConnections(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    writeFileSync(this.kubeconfigPath, this.kubeConfigText, { mode: 0o600 });
  }

  /** Resets all connections and refuses new ones. */
  async refuseConnections(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.resetConnections();
    });
  }

  resetConnections(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Serves with a certificate of a new authority from now on; kubeconfig file and text follow. */
  async rotateCertificate(): Promise<void> {
    this.#certificates = await newCertificates(hosts);
    const { serverKey, serverCert } = this.#certificates;
    this.#server.setSecureContext({ key: serverKey, cert: serverCert });
    writeFileSync(this.kubeconfigPath, this.kubeConfigText, { mode: 0o600 });
    this.resetConnections();
  }

  async stop(): Promise<void> {
    this.clear();
    // Not awaited: one connection that never ends would keep the test from ending.
    this.#server.close();
    this.#server.unref();
    this.resetConnections();
    for (const socket of this.#sockets) socket.unref();
    this.#agent.destroy();
  }

  #dated(): { date?: string } {
    return this.#aheadMs === 0 ? {} : { date: new Date(Date.now() + this.#aheadMs).toUTCString() };
  }

  #watchesOf(match: RequestMatch): WatchStream[] {
    return [...this.#watches].filter((watch) => matches(match, watch.request));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy());
    for (const [name, value] of Object.entries(this.#dated())) response.setHeader(name, value);
    const body = await readBody(request);
    const { method = 'GET', url = '/', headers } = request;
    const record = recordRequest(++this.#received, { method, url, headers, body: body.toString() });
    this.#requests.push(record);
    const decision = await this.#rules.heldAt('request', record);
    if (decision === 'drop') return this.#reset(record, response, 'dropped');
    if (typeof decision === 'object') return this.#refuse(record, response, decision.status);
    for (const fault of this.#rules.meet(record)) {
      if ((await this.#inflict(fault, record, response)) === 'ended') return;
    }
    await this.#pass(request, body, record, response);
  }

  async #inflict(
    fault: Fault,
    record: RecordedRequest,
    response: ServerResponse,
  ): Promise<'ended' | 'goes on'> {
    if (fault === 'reset') {
      this.#reset(record, response, 'reset');
    } else if (fault === 'hang') {
      record.fault = 'hung';
    } else if (fault === 'malformed') {
      answerNonsense(record, response);
    } else if ('line' in fault) {
      record.fault = 'one line';
      record.status = 200;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${fault.line}\n`);
    } else if ('status' in fault) {
      this.#refuse(record, response, fault.status, fault.retryAfter);
    } else if ('until' in fault) {
      record.fault = 'held';
      await fault.until;
      return 'goes on';
    } else {
      record.fault = `delayed by ${fault.latencyMs} ms`;
      await delay(fault.latencyMs);
      return 'goes on';
    }
    return 'ended';
  }

  #refuse(record: RecordedRequest, response: ServerResponse, status: number, retryAfter?: number): void {
    record.fault = `status ${status}`;
    answerStatus(response, status, retryAfter);
    record.status = status;
  }

  /** Resets the TCP connection under the TLS one: only the plain socket can. */
  #reset(record: RecordedRequest, response: ServerResponse, how: string): void {
    record.fault = how;
    const port = response.socket?.remotePort;
    for (const socket of this.#sockets) if (socket.remotePort === port) socket.resetAndDestroy();
    response.destroy();
  }

  /** Sends the request on and its answer back, the answer as it comes. */
  async #pass(
    request: IncomingMessage,
    body: Buffer,
    record: RecordedRequest,
    response: ServerResponse,
  ): Promise<void> {
    const answer = await this.#answerTo(request, body, response);
    if (answer === undefined) return this.#reset(record, response, 'the API server gave no answer');
    answer.on('error', () => response.destroy());
    // A client that was killed leaves its watches to us: they end here, too.
    response.on('close', () => answer.destroy());
    const decision = await this.#rules.heldAt('response', record);
    if (decision === 'drop') return this.#reset(record, response, 'answer dropped');
    if (response.destroyed) return;
    if (typeof decision === 'object') {
      answer.resume();
      return this.#refuse(record, response, decision.status);
    }
    record.status = answer.statusCode;
    response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...this.#dated() });
    if (record.verb !== 'watch' || answer.statusCode !== 200) {
      answer.pipe(response);
      return;
    }
    response.flushHeaders();
    const watch = watchStream(record, answer, response);
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  /** The API server's answer; undefined when the connection failed or the client has left. */
  #answerTo(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ): Promise<IncomingMessage | undefined> {
    const target = new URL(request.url ?? '/', this.#upstream.serverUrl);
    return new Promise((resolve) => {
      const passed = httpsRequest(target, {
        method: request.method,
        headers: { ...request.headers, host: target.host },
        agent: this.#agent,
      });
      passed.on('response', resolve);
      passed.on('error', () => resolve(undefined));
      response.on('close', () => passed.destroy());
      passed.end(body);
    });
  }
}

function answerNonsense(record: RecordedRequest, response: ServerResponse): void {
  record.fault = 'malformed';
  record.status = 200;
  response.writeHead(200, { 'content-type': 'application/json' });
  const text = '{"type":"ADDED","object":{"kind":\n';
  if (record.verb === 'watch') response.write(text);
  else response.end(text);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

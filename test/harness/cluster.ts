import { spawn } from 'node:child_process';
import { Agent, request as httpsRequest } from 'node:https';

/** How to reach an API server and be let in. */
export interface Access {
  /** `https://127.0.0.1:6443` */
  serverUrl: string;
  /** The authority's certificate as PEM text. */
  ca: string;
  token: string;
}

export interface KubectlResult {
  stdout: string;
  stderr: string;
  code: number;
}

/** Somebody whom a request of the admin's is made for. */
export interface Person {
  user: string;
  groups?: readonly string[];
}

export interface ApiResponse {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** A cluster that tests use, whoever runs it. */
export interface Cluster {
  serverUrl: string;
  /** PEM text. */
  ca: string;
  /** The same in base64, as a kubeconfig's certificate-authority-data has it. */
  caData: string;
  /** A bearer token of a member of system:masters. */
  adminToken: string;
  kubeconfigPath: string;
  kubeConfigText: string;
  /** Runs kubectl as admin; never throws for kubectl's own failures. */
  kubectl(args: readonly string[], options?: { input?: string }): Promise<KubectlResult>;
  /** Sends one request as admin, with another token, or for somebody; never throws for a status. */
  request(
    method: string,
    path: string,
    options?: { body?: unknown; contentType?: string; accept?: string; token?: string; as?: Person },
  ): Promise<ApiResponse>;
}

/** Text of a kubeconfig (JSON is YAML) with one context and a bearer token; without `ca` it names no authority. */
export function kubeConfigText(
  access: Omit<Access, 'ca'> & Partial<Pick<Access, 'ca'>>,
  options: { namespace?: string } = {},
): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'towpath',
    clusters: [
      {
        name: 'towpath',
        cluster: {
          server: access.serverUrl,
          'certificate-authority-data': access.ca && Buffer.from(access.ca).toString('base64'),
        },
      },
    ],
    users: [{ name: 'towpath', user: { token: access.token } }],
    contexts: [
      {
        name: 'towpath',
        context: {
          cluster: 'towpath',
          user: 'towpath',
          ...(options.namespace ? { namespace: options.namespace } : {}),
        },
      },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The cluster behind an access, with kubectl from hack/cluster's binary. */
export function clusterOf(access: Access, kubeconfigPath: string, clusterBinary: string): Cluster {
  // Tests look again and again: a TLS handshake for each look would be most of what they cost.
  const agent = new Agent({ keepAlive: true, ca: access.ca });
  return {
    serverUrl: access.serverUrl,
    ca: access.ca,
    caData: Buffer.from(access.ca).toString('base64'),
    adminToken: access.token,
    kubeconfigPath,
    kubeConfigText: kubeConfigText(access),
    kubectl: (args, options) =>
      runProgram(clusterBinary, ['kubectl', '--kubeconfig', kubeconfigPath, ...args], options?.input, SHORT),
    request: (method, path, options) =>
      apiRequest({ ...access, token: options?.token ?? access.token }, method, path, { ...options, agent }),
  };
}

/** One HTTPS request to an API server; `body` goes as JSON unless it is text. */
export function apiRequest(
  access: Access,
  method: string,
  path: string,
  options: {
    body?: unknown;
    contentType?: string;
    accept?: string;
    timeoutMs?: number;
    agent?: Agent;
    as?: Person;
  } = {},
): Promise<ApiResponse> {
  const { body } = options;
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(path, access.serverUrl),
      {
        method,
        ca: access.ca,
        agent: options.agent ?? false,
        timeout: options.timeoutMs ?? 30_000,
        headers: {
          authorization: `Bearer ${access.token}`,
          accept: options.accept ?? 'application/json',
          ...(options.as === undefined
            ? {}
            : {
                'impersonate-user': options.as.user,
                'impersonate-group': [...(options.as.groups ?? [])],
              }),
          ...(text === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in time`)));
    request.end(text);
  });
}

/** A program that ends at once saves a third of its work where it never collects what it does not need any more. */
const SHORT = { ...process.env, GOGC: '400' };

/** For one that hangs, in milliseconds: it is named then, long before the limit of its test. */
const PROGRAM_LIMIT_MS = 10 * 60_000;

/** Runs a program to its end and returns what it wrote. */
export function runProgram(
  command: string,
  args: readonly string[],
  input?: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {
      // It ended without reading all of its input; its exit code tells.
    });
    child.stdin.end(input ?? '');
    child.on('error', reject);
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(
          `${[command, ...args].join(' ')} had not ended after ${PROGRAM_LIMIT_MS / 60_000} minutes.`,
        ),
      );
    }, PROGRAM_LIMIT_MS);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        code: code ?? -1,
      });
    });
  });
}

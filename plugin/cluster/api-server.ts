import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../exit-codes.ts';
import type { Kubectl } from '../kubectl.ts';
import { inTemporaryDirectory, placeForSocket } from '../temporary-directory.ts';

export interface Answer {
  status: number;
  text: string;
}

export interface Question {
  method?: 'GET' | 'PATCH';
  body?: string;
  contentType?: string;
  accept?: string;
}

/**
 * The API server as kubectl reaches it, for what would take a run of kubectl for each object: requests are answered by
 * `kubectl proxy` on a socket in a directory that nobody else may enter, with the user's own rights.
 */
export class ApiServer {
  readonly #socket: string;
  readonly #signal: AbortSignal;

  constructor(socket: string, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  /** Whatever the status is. @throws CommandError where nothing answers. */
  send(path: string, { method = 'GET', body, contentType, accept }: Question = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = {
        // As kubectl proxy asks for it.
        host: 'localhost',
        accept: accept ?? 'application/json',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      };
      const fail = ({ message }: Error) =>
        reject(
          new CommandError(`kubectl proxy did not answer (${message}): try kubectl get --raw /version.`),
        );
      const options = { socketPath: this.#socket, path, method, headers, signal: this.#signal };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      sent.on('error', fail);
      sent.end(body);
    });
  }

  /** The document at a path. @throws CommandError with the API server's words where there is none. */
  async document(path: string, accept?: string): Promise<unknown> {
    const { status, text } = await this.send(path, accept === undefined ? {} : { accept });
    if (status === 200) return JSON.parse(text);
    throw new CommandError(`The cluster does not answer ${path}: ${wordsIn(text, status)}`);
  }
}

const SOCKET = 'api';

/** Does something with the API server; what kubectl serves ends with it. */
export async function withApiServer<T>(
  { kubectl, signal }: { kubectl: Kubectl; signal: AbortSignal },
  work: (server: ApiServer) => Promise<T>,
): Promise<T> {
  return inTemporaryDirectory(
    async (directory) => {
      const ending = new AbortController();
      const either = AbortSignal.any([ending.signal, signal]);
      try {
        const socket = join(directory, SOCKET);
        await kubectl.proxy(socket, either);
        return await work(new ApiServer(socket, either));
      } finally {
        ending.abort();
      }
    },
    placeForSocket(SOCKET, tmpdir()),
  );
}

const statusSchema = z.object({ kind: z.literal('Status'), message: z.string().min(1) });

/** Of what an API server says, in characters. */
const MOST_WORDS = 1_000;

/** Why it said no, in its own words. */
export function wordsIn(text: string, status: number): string {
  const said = statusSchema.safeParse(parsedIfAny(text));
  const words = said.success ? said.data.message : text.trim();
  return words === '' ? `it answered with status ${status}.` : words.slice(0, MOST_WORDS);
}

function parsedIfAny(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RecordedRequest } from './recorded-request.ts';

/** A watch on its way through the fault proxy. */
export interface WatchStream {
  readonly request: RecordedRequest;
  /** From now on nothing reaches the client; its socket stays open. */
  stall(): void;
  /** Sends a line of our own between two events. */
  inject(line: string): void;
  /** Sends the ERROR event of 410 Gone and ends the answer, as an API server does whose history is compacted. */
  expire(): void;
}

/** Passes a watch's lines on whole, so that lines can be put between them. */
export function watchStream(
  request: RecordedRequest,
  answer: IncomingMessage,
  response: ServerResponse,
): WatchStream {
  let stalled = false;
  let begun = Buffer.alloc(0);
  answer.on('data', (chunk: Buffer) => {
    if (stalled) return;
    const received = Buffer.concat([begun, chunk]);
    const end = received.lastIndexOf(0x0a) + 1;
    begun = received.subarray(end);
    if (end > 0) response.write(received.subarray(0, end));
  });
  answer.on('end', () => {
    if (!stalled) response.end(begun);
  });
  return {
    request,
    stall() {
      stalled = true;
      request.fault = 'stalled';
    },
    inject(line) {
      request.fault = 'line injected';
      response.write(`${line}\n`);
    },
    expire() {
      request.fault = 'expired';
      const object = statusObject(410, 'Expired', 'too old resource version: 1 (2)');
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    },
  };
}

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Answers with a metav1.Status as an API server words it; `retryAfter` in seconds. */
export function answerStatus(response: ServerResponse, status: number, retryAfter?: number): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  });
  response.end(
    JSON.stringify(statusObject(status, reasons[status] ?? 'Unknown', 'a fault made by the test')),
  );
}

function statusObject(code: number, reason: string, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code, reason, message };
}

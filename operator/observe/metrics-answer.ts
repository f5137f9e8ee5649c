import type { RequestListener } from 'node:http';
import { Registry } from 'prom-client';

/** Answers /metrics over HTTP with the text, which is in the format of Prometheus. */
export function answerMetrics(read: () => Promise<string>): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET') response.writeHead(405).end();
    else if (request.url !== '/metrics') response.writeHead(404).end();
    else
      void read().then(
        (text) => response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text),
        () => response.writeHead(500).end(),
      );
  };
}

import type { RequestListener } from 'node:http';
import type { Registry } from 'prom-client';

/** Answers /metrics over HTTP, in the format of Prometheus. */
export function answerMetrics(registry: Registry): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET') response.writeHead(405).end();
    else if (request.url !== '/metrics') response.writeHead(404).end();
    else
      void registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
  };
}

import type { RequestListener } from 'node:http';

/**
 * Answers /readyz and /livez over HTTP. `notReady` says why it is not; undefined where it is.
 */
export function answerProbes(notReady: () => string | undefined): RequestListener {
  return (request, response) => {
    const answer = (problem: string | undefined) => {
      response.writeHead(problem === undefined ? 200 : 503, { 'content-type': 'text/plain' });
      response.end(`${problem ?? 'ok'}\n`);
    };
    if (request.method !== 'GET') response.writeHead(405).end();
    else if (request.url === '/readyz') answer(notReady());
    // Whoever is answered knows that the event loop turns. One that is stuck answers nothing, and the probe's
    // time-outs (kubelet: 3 of 10 s) make 30 s of that (A9).
    else if (request.url === '/livez') answer(undefined);
    else response.writeHead(404).end();
  };
}

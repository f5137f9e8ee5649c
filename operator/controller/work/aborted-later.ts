/** The same signal, so many milliseconds later: what was sent before it is given so long to be answered. */
export function abortedLater(signal: AbortSignal, milliseconds: number): AbortSignal {
  const later = new AbortController();
  const wait = () => void setTimeout(() => later.abort(signal.reason), milliseconds).unref();
  if (signal.aborted) wait();
  else signal.addEventListener('abort', wait, { once: true });
  return later.signal;
}

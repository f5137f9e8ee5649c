import { requestKey } from '../request-annotations.ts';
import type { Run } from '../run.ts';
import type { Outcome } from '../state.ts';

/** Has the record say that what was asked for was acted on here. */
export async function noteRequest({ context, request }: Run): Promise<Outcome> {
  const { record, store, signal } = context;
  if (request.open !== undefined) {
    record.handledRequest = requestKey(request.open);
    await store.save(record, { signal });
  }
  return { type: 'RequestNoted' };
}

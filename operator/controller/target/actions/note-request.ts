import { TowpathError } from '../../../api/errors.ts';
import type { Run } from '../run.ts';
import type { Outcome } from '../state.ts';

/**
 * Has the record say that what was asked for was acted on here. Where the record cannot be written, the request stays
 * open, and all that the look found is told all the same.
 */
export async function noteRequest({ context, request }: Run): Promise<Outcome> {
  const { record, store, signal } = context;
  const { handledRequest: before } = record;
  try {
    if (request.key !== undefined) record.handledRequest = request.key;
    await store.save(record, { signal });
    return { type: 'RequestNoted' };
  } catch (error) {
    if (before === undefined) delete record.handledRequest;
    else record.handledRequest = before;
    signal.throwIfAborted();
    if (error instanceof TowpathError) return { type: 'RequestUnnoted' };
    throw error;
  }
}

import { TowpathError } from '../../../api/errors.ts';
import { shortCandidate } from '../../candidate/revision.ts';
import type { Wanted } from '../../candidate/wanted.ts';
import { candidateKey, type Deployed, type Manifests } from '../../record/record.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';

/** What the wanted candidate's render came to: just now, or as the record keeps it. */
export async function manifestsOfWanted(
  run: Run,
  { found: { wanted } }: TargetState,
): Promise<{ wanted: Wanted; manifests: Manifests }> {
  if (wanted === undefined) throw new Error('there is no wanted candidate');
  return { wanted, manifests: wanted.manifests ?? (await kept(run, wanted.candidate)) };
}

/** The manifests of a candidate that runs. */
export async function manifestsOf(
  run: Run,
  { found: { wanted } }: TargetState,
  candidate: Deployed,
): Promise<Manifests> {
  if (wanted?.manifests !== undefined && candidateKey(wanted.candidate) === candidateKey(candidate))
    return wanted.manifests;
  return kept(run, candidate);
}

async function kept({ context }: Run, candidate: Deployed): Promise<Manifests> {
  const { store, record, signal } = context;
  const manifests = await store.manifests(record, candidate, signal);
  if (manifests !== undefined) return manifests;
  throw new TowpathError(
    'Time',
    'RecordDamaged',
    `The kept manifests of ${shortCandidate(candidate.id)} are gone; they are rendered anew.`,
  );
}

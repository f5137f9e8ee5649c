import { type Candidate, candidateKey, type TargetRecord } from './record.ts';

/** What passed in a target before what runs there now, where it is kept: that is gone back to, unless it was rejected since. Pure. */
export function passedBefore(
  { succeeded, deployment }: Pick<TargetRecord, 'succeeded' | 'deployment'>,
  kept: readonly Candidate[],
): Candidate | undefined {
  const candidate = kept.find((one) => candidateKey(one) === succeeded);
  return candidate?.digest === deployment?.candidate.digest ? undefined : candidate;
}

import type { Application } from '../../api/v1alpha1/application.ts';
import { askedSince, baseAccessOf } from './base-access.ts';
import { chartCredentialsOf, publishedCredentialsOf, secretFieldOf } from './chart-credentials.ts';
import { keyringOf } from './chart-signatures.ts';
import type { Newest, Origin } from './origins.ts';
import type { ReferencedContent } from './references.ts';
import type { BaseTerms } from './remote-bases.ts';
import type { RenderingInput } from './rendering.ts';

export type Fetching = Pick<RenderingInput, 'revision' | 'credentialFor' | 'chart'> &
  Pick<BaseTerms, 'accessFor' | 'askedSince'>;

/**
 * What other places are asked with, and since when they must have been; and which chart is rendered where Git does not
 * have it.
 */
export function fetchingOf(
  input: { application: Application; kept: readonly unknown[]; requestedAt: number | undefined },
  { repository }: Origin,
  { revision, version }: Newest,
  contents: Map<string, ReferencedContent>,
): Fetching {
  const { application } = input;
  const common = {
    revision,
    credentialFor: chartCredentialsOf(application, contents),
    accessFor: baseAccessOf(application, contents),
    askedSince: askedSince(input, repository ?? { changedAt: undefined }),
  };
  const { chart } = application.spec.helm ?? {};
  if (chart === undefined || version === undefined) return common;
  return {
    ...common,
    chart: {
      reference: { repository: chart.repoURL, name: chart.name, version },
      credentialFor: publishedCredentialsOf(application, contents),
      secret: secretFieldOf(application),
      keyring: keyringOf(application, contents),
    },
  };
}

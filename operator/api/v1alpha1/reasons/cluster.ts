import { person, type ReasonTable } from './reason.ts';

/** Reaching another cluster by its kubeconfig. */
export const CLUSTER_REASONS = {
  KubeConfigInvalid: person(
    'The kubeconfig of the Environment cannot be used, or has something that Towpath does not take: a program to run, a file to read, no check of the certificate, somebody to impersonate.',
    'Store one as the message says into the Secret; a change is noticed at once.',
  ),
} satisfies ReasonTable;

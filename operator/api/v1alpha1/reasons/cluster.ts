import { none, person, type ReasonTable, resource } from './reason.ts';

/** Reaching another cluster by its kubeconfig; what it costs an Environment costs each of its Applications. */
export const CLUSTER_REASONS = {
  EnvironmentInUse: resource(
    'An Environment is to be deleted, and something is deployed there, or it has the finalizer of another installation, or of somebody else.',
    'Take it out of spec.environments of the Applications that the message names, or delete them; or as the message says.',
  ),
  Available: none('The Environment can be deployed to.'),
  KubeConfigMissing: resource(
    'The Secret with the kubeconfig of the Environment does not exist, or lacks the key.',
    'Store it in the namespace of the operator; it is noticed at once.',
  ),
  KubeConfigInvalid: person(
    'The kubeconfig of the Environment cannot be used, or has something that Towpath does not take: a program to run, a file to read, no check of the certificate, somebody to impersonate.',
    'Store one as the message says into the Secret; a change is noticed at once.',
  ),
  CredentialExpired: person(
    'The certificate or token of the kubeconfig expired, and the cluster refuses it.',
    'Store a new one into the Secret; it is noticed at once.',
  ),
  CredentialRefused: person(
    "The cluster refuses the certificate or token of the kubeconfig, which has not expired: it was revoked, its ServiceAccount deleted, or it is another cluster's.",
    'Store one that the cluster takes into the Secret; it is noticed at once.',
  ),
  ClusterForbidden: resource(
    'The account of the kubeconfig may not do what is needed to know the cluster.',
    'Give it the rights that docs/clusters.md lists; it is tried again by itself.',
  ),
  ClusterUntrusted: person(
    'The API server shows a certificate of another authority than the kubeconfig has, or for another name.',
    "Store the cluster's present authority into the Secret, once you are sure that it is the cluster's.",
  ),
  ClusterIsHome: person(
    'The kubeconfig of the Environment leads to the cluster that Towpath runs in, by the uid of its namespace kube-system: nothing is written by it.',
    'Make an Environment without spec.cluster for that cluster, and name it in spec.environments; or store the kubeconfig of another cluster.',
  ),
  ClusterChanged: person(
    'The kubeconfig leads to another cluster than before, by the uid of its namespace kube-system: nothing is written or deleted there.',
    'Put the old kubeconfig back; or, where the cluster was replaced, confirm with the annotation towpath.dev/cluster-confirmed that the message shows.',
  ),
} satisfies ReasonTable;

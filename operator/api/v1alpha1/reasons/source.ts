import { person, type ReasonTable, resource, time } from './reason.ts';

/** Reaching the repository and reading from it. */
export const SOURCE_REASONS = {
  URLInvalid: person(
    'The repository URL cannot be used.',
    'Correct spec.source.repoURL as the message says.',
  ),
  AddressRefused: person(
    'The host resolves to a loopback, link-local or metadata address.',
    "Use the server's own address, or ask who runs Towpath to allow such addresses.",
  ),
  PlainHTTPRefused: person(
    'A credential would travel over plain HTTP.',
    'Use https://, or ask who runs Towpath to allow it.',
  ),
  HostUnknown: time(
    'The name of the Git server, or of a chart repository, cannot be resolved.',
    'Check the host in spec.source.repoURL or spec.helm.chart.repoURL, and DNS in the cluster.',
  ),
  ConnectionRefused: time(
    'The Git server, or a chart repository, refuses connections.',
    'Check that it runs, its port, and NetworkPolicies.',
  ),
  ProxyRefused: person(
    "The proxy of the operator's environment does not let it reach the Git server.",
    'Ask who runs the proxy to allow it, or who runs Towpath to give it a user and a password.',
  ),
  ConnectionLost: time(
    'The connection to the Git server, or to a chart repository, ended before its answer.',
    'Check the Git server and what lies between if it stays.',
  ),
  Timeout: time(
    'The Git server, or a chart repository, did not answer in time.',
    'Check the Git server, the route to it, and NetworkPolicies.',
  ),
  ServerError: time(
    'The Git server, or a chart repository, answered with an error of its own.',
    'Look at the Git server; it is asked again.',
  ),
  CertificateUnknown: person(
    'The TLS certificate of the Git server, or of a chart repository, is not trusted.',
    'Put the authority that signed it into the key ca.crt of the Secret in spec.source.secretRef; or, for all repositories, into --ca-file of the operator (certificateAuthorities in the chart). Of a chart: the Secret in spec.helm.registries or spec.helm.chart.secretRef.',
  ),
  TLSFailed: person(
    'No TLS connection to the Git server came about.',
    'Check its certificate and the client certificate in the Secret.',
  ),
  AuthenticationFailed: person(
    'The Git server refuses the credentials, or wants some; or a chart repository does, to which none are given.',
    'Check the Secret in spec.source.secretRef; a changed Secret is used at once.',
  ),
  CredentialInvalid: person(
    'A Secret that spec.source.secretRef, spec.helm.chart.secretRef or spec.helm.registries names does not hold a usable credential.',
    'Give it the keys that the message names.',
  ),
  HostNotListed: person(
    "A Secret that spec.source.secretRef, spec.helm.chart.secretRef or spec.helm.registries names is bound to other hosts than the repository's by its annotation towpath.dev/hosts, or one with an Environment's kubeconfig to others than its server's and proxy's: nothing was sent.",
    'Add the host to the annotation if it may have the credential, or name another Secret; for a kubeconfig, store another one. A change is noticed at once.',
  ),
  HostKeyUnknown: person(
    'The known_hosts of the Secret have no key for the SSH server.',
    "Add the line that ssh-keyscan prints, after comparing it with what the server's owner publishes.",
  ),
  HostKeyMismatch: person(
    'The SSH server shows another host key than known_hosts has: it was replaced, or someone stands between.',
    "Ask the server's owner; put the new key into known_hosts only when it is theirs.",
  ),
  RedirectRefused: person(
    'The Git server redirects to another origin, which gets no credentials; or a chart repository redirects too often.',
    'Write the address it redirects to into spec.source.repoURL, or spec.helm.chart.repoURL or Chart.yaml.',
  ),
  RepositoryNotFound: person(
    'There is no such repository, or the credentials may not see it.',
    'Check spec.source.repoURL and the rights of the credentials.',
  ),
  ChartRepositoryInvalid: person(
    'The URL of a chart repository, or one that it leads to, cannot be used.',
    'Correct it in spec.helm.chart.repoURL or Chart.yaml, as the message says: only https:// and oci:// without a credential are fetched.',
  ),
  ChartRepositoryNotFound: person(
    'There is no Helm repository at the URL in spec.helm.chart.repoURL or Chart.yaml: it has no index.yaml.',
    'Correct spec.helm.chart.repoURL; or the repository in Chart.yaml, and run "helm dependency update".',
  ),
  ChartNotFound: person(
    'The chart repository or registry has no such chart, or not that version of it; it is asked again.',
    'Publish it there, or correct spec.helm.chart, or Chart.yaml and run "helm dependency update"; the message lists what is there.',
  ),
  ChartIndexInvalid: person(
    'The index.yaml of a chart repository, or the manifest of a chart in a registry, cannot be read, or lacks what is needed of a chart; or a list of versions goes on at another host.',
    'Have who runs the repository make the index anew (helm repo index), publish the chart anew (helm push), or commit it to the folder charts; have a registry name its pages by its own host.',
  ),
  ChartDigestMismatch: person(
    'The archive of a chart is another one than the index of its repository, or its manifest in a registry, says.',
    'Ask who runs the repository which of the two is right: the chart may have been replaced.',
  ),
  ChartCacheFull: time(
    'More comes of chart repositories at the moment than there is room for on the disk of the operator, or than one namespace may have of it.',
    'Nothing: it is tried again. If it stays, see which Applications fetch large charts, or indexes, from slow repositories.',
  ),
  ChartReplaced: person(
    'A version of a chart has other bytes than it had when it was fetched before: it was replaced under the same version. What runs stays.',
    'Ask who publishes it why, and have it published as another version; or commit the archive that you trust to the folder charts.',
  ),
  ChartUnsigned: person(
    'The chart has no provenance file, and spec.helm.chart.verify takes signed charts only.',
    'Have who publishes it sign it (helm package --sign), use a version that is signed, or remove spec.helm.chart.verify.',
  ),
  ChartSignatureInvalid: person(
    'The provenance file of a chart is not signed by a key of the keyring that spec.helm.chart.verify names, or is of another archive.',
    'Ask who publishes the chart; the message says which key signed it. Add that key to the keyring only when it is theirs.',
  ),
  ChartKeyringInvalid: person(
    'The Secret that spec.helm.chart.verify names has no PGP keyring in its key keyring.',
    'Put there what "gpg --export" or "gpg --export --armor" writes of the keys that sign the chart; it is noticed at once.',
  ),
  ChartTooLarge: person(
    'The index of a chart repository, the list of a registry, or a chart, is larger than what is fetched.',
    'Commit the chart to the folder charts, or have it made smaller.',
  ),
  RepositoryCacheFull: time(
    'More comes of Git repositories at the moment than there is room for on the disk of the operator, or than one namespace may have of it.',
    'Nothing: it is fetched again. If it stays, see which Applications follow large repositories on slow servers.',
  ),
  RepositoryEmpty: person('The repository has no commit.', 'Push one.'),
  RepositoryDamaged: time(
    "What was fetched of a repository does not fit together, or cannot be kept on the operator's own disk; it is fetched anew.",
    'If it stays, run "git fsck" on the server, or see whether the disk of the operator is full, as the message says.',
  ),
  PackInvalid: person('The Git server sent objects that cannot be read.', 'Run "git fsck" on the server.'),
  ProtocolUnsupported: person(
    'The Git server lacks something that Git servers have, or offers no SSH key exchange that is taken.',
    'Update the Git server, or configure what the message names.',
  ),
  ObjectFormatUnsupported: person(
    'The repository uses SHA-256 object ids, which are not supported.',
    'Use a repository with SHA-1 object ids.',
  ),
  RefInvalid: person('The ref cannot be read.', 'Correct spec.source.ref as the message says.'),
  RefNotFound: person(
    'The repository has no such branch, tag, version or commit.',
    'Correct spec.source.ref, or push it; the message lists near names.',
  ),
  RefMoved: time(
    'The branch or tag was moved while its commit was fetched.',
    'Nothing: the next poll finds where to.',
  ),
  PathNotFound: person(
    'There is nothing at the path in this commit.',
    'Correct spec.source.path, or push it; the message lists what is there.',
  ),
  EnvironmentPathNotFound: person(
    'There is nothing in this commit at the path that the environment alone has; the other environments go on.',
    'Push it, or correct the path of that entry of spec.environments; the message lists what is there.',
  ),
  PathEscapes: person(
    'A path or symlink leads out of the repository.',
    'Remove it; only files of the repository are read.',
  ),
  SymlinkInvalid: person('A symlink in the repository cannot be followed.', 'Correct or remove it.'),
  SubmoduleNotSupported: person(
    'The path lies in a submodule, which is not followed.',
    "Name the submodule's own repository in spec.source.repoURL.",
  ),
  TooLarge: person(
    'What must be read of the repository is larger than the limit.',
    'Point spec.source.path at a smaller directory, or move large files out.',
  ),
  NotPolled: time('The repository was not asked yet.', 'Nothing: it is asked in a moment.'),
  WorkFailed: person(
    'A worker of the operator ended or took too long while it read the repository; it is tried again a few times.',
    'Make the repository smaller, or tell who runs Towpath.',
  ),
  SecretMissing: resource(
    'A Secret that is named does not exist, or lacks the key.',
    'Make it in the namespace of the Application; it is noticed at once.',
  ),
} satisfies ReasonTable;

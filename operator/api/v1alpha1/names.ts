/** The API group and version, and every label, annotation and finalizer that Towpath reads or writes. */
export const GROUP = 'towpath.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** On every applied object: the id of the target that owns it. */
export const LABEL_TARGET = `${GROUP}/target`;
/** On the Job of a check: the name of that. */
export const LABEL_CHECK = `${GROUP}/check`;
/**
 * On every applied object: whose it is and which object it was written to, as
 * `<namespace>/<application>/<environment> <group>/<kind>/<namespace>/<name>`; pruning needs it to agree (D1).
 */
export const ANNOTATION_OWNER = `${GROUP}/owner`;
/** On an object in Git: the wave it is applied in; an integer, default 0. */
export const ANNOTATION_WAVE = `${GROUP}/wave`;
/** On an object in Git: `enabled` allows pruning of kinds that are kept by default, `disabled` forbids pruning. */
export const ANNOTATION_PRUNE = `${GROUP}/prune`;
/** On an object in Git: `"true"` allows delete-and-create where an immutable field changed. */
export const ANNOTATION_REPLACE = `${GROUP}/replace`;
/** On an object in Git or on an Application: `"true"` takes over objects that no target owns. */
export const ANNOTATION_ADOPT = `${GROUP}/adopt`;
/** On an Application: any new value asks for a sync now. */
export const ANNOTATION_SYNC_REQUESTED = `${GROUP}/sync-requested`;
/** On an Application: `<environment>=<plan digest>` consents to a held prune. */
export const ANNOTATION_PRUNE_CONSENT = `${GROUP}/prune-consent`;
/**
 * On an Application: `<environment>` lets go of a deletion that is stuck: its objects there are released as far as that can be done, and
 * stay. What stood there when something was deployed there last counts no more: then `<environment>=<any new value>` does.
 */
export const ANNOTATION_ABANDON = `${GROUP}/abandon`;
/** On an Environment: the uid of the cluster that it is in from now on, where its kubeconfig leads to another one than before. */
export const ANNOTATION_CLUSTER_CONFIRMED = `${GROUP}/cluster-confirmed`;
/**
 * On a Secret with credentials: the hosts that it may be sent to, `host` or `host:port`, separated by commas; any other
 * gets nothing. Without it every Application of its namespace may send it anywhere, and a kubeconfig leads where it says.
 */
export const ANNOTATION_HOSTS = `${GROUP}/hosts`;

/**
 * On a namespace in which an Environment manages access: the namespace of the Applications that it is for. The operator
 * sets it on those that it makes; on one that is there already only the platform may (S16).
 */
export const LABEL_MANAGED_FOR = `${GROUP}/managed-for`;
/** On the RoleBinding of managed access: the Environment that it is made for. */
export const ANNOTATION_ENVIRONMENT = `${GROUP}/environment`;

/** On a Promotion: the Application that it is about, as its spec has it. */
export const LABEL_APPLICATION = `${GROUP}/application`;
/** On a Promotion: the environment that it is about, as its spec has it. */
export const LABEL_ENVIRONMENT = `${GROUP}/environment`;
/** On a ConfigMap of the ledger's archive: the namespace whose Promotions it has. */
export const LABEL_LEDGER = `${GROUP}/ledger`;
/** Value of that label where it is about no namespace: none has such a name. */
export const LEDGER_OF_ALL = 'all.namespaces';
/** On a ConfigMap of the ledger's archive: when the first of its Promotions ended. */
export const ANNOTATION_FROM = `${GROUP}/from`;
/** On a ConfigMap of the ledger's archive: when the last of its Promotions ended. */
export const ANNOTATION_UNTIL = `${GROUP}/until`;
/** On a ConfigMap of the ledger's archive: how many Promotions it has. */
export const ANNOTATION_RECORDS = `${GROUP}/records`;

/** On our CustomResourceDefinitions: the version of Towpath that they are of; an older operator leaves them as they are. */
export const ANNOTATION_VERSION = `${GROUP}/version`;
/** On our CustomResourceDefinitions: a digest of their spec, by which two builds of one version are told apart. */
export const ANNOTATION_SCHEMA = `${GROUP}/schema`;
/** On the ClusterRole of an installation: the namespace whose Applications it looks after; empty: all. */
export const LABEL_WATCHES = `${GROUP}/watches`;
/** On the ClusterRole of an installation: its id, as --installation says it. */
export const ANNOTATION_INSTALLATION = `${GROUP}/installation`;
/** On the ClusterRole of an installation: the namespace in which it is installed. */
export const ANNOTATION_INSTALLED_IN = `${GROUP}/installed-in`;

/** On an Application: keeps it until its objects are deleted or released, as deletionPolicy says. */
export const FINALIZER = `${GROUP}/finalizer`;

import { none, person, type ReasonTable, resource, time } from './reason.ts';

/** The state of an Application in its cluster. */
export const TARGET_REASONS = {
  Synced: none('What Git says runs and is healthy.'),
  AllPromoted: none('Every environment has the newest candidate that was accepted.'),
  NotPromoted: none(
    'Not every environment has the newest candidate that was accepted.',
    'Look at what the environments wait for that the message names.',
  ),
  Syncing: none('A candidate is being applied.', 'Wait; the message says for what it waits.'),
  Progressing: none('All is applied and not healthy yet.', 'Wait; the message names the object.'),
  Degraded: none(
    'All is applied and an object is not healthy.',
    'Look at the object that the message names.',
  ),
  Unknown: none('The health of an object cannot be seen.', 'Nothing: it is looked at again.'),
  Missing: none(
    'An object that should exist does not, or lost its label; it is made again unless spec.sync.drift is Report.',
    'Look for who deletes it if it stays.',
  ),
  Suspended: none(
    'All writes are suspended, or somebody other than Git suspended or paused a workload.',
    'Set spec.suspend to false to go on, or let the workload run again.',
  ),
  OutOfSync: none(
    'The cluster differs from Git, and spec.sync.drift is Report.',
    'Ask for a sync (annotation towpath.dev/sync-requested), or set drift to Repair.',
  ),
  RepairDelayed: time(
    'An object is changed again and again; it is put back every few seconds.',
    'Stop whoever the message names, leave the field to them with spec.sync.ignore, or ask for a sync.',
  ),
  AwaitingSync: none(
    'There is something to apply, and spec.sync.mode is Manual.',
    'Ask for a sync: annotation towpath.dev/sync-requested.',
  ),
  TimedOut: person(
    'The deployment was not healthy within spec.sync.timeout.',
    'Look at the object that the message names, or raise the timeout.',
  ),
  ApplyFailed: time('The API server did not take an object.', 'Read the message; it is tried again.'),
  HookFailed: time(
    'A Helm hook failed; it is tried as often as spec.sync.retries says, and then the deployment has failed.',
    "Look at the hook's Job or Pod that the message names.",
  ),
  ImmutableField: person(
    'A field changed that cannot change.',
    'Annotate the object in Git with towpath.dev/replace: "true" to have it deleted and made anew, or put the old value back.',
  ),
  AlreadyAllocated: resource(
    'What only one object can have is held by another one: a port or an address that a Service asks for, or being the default PriorityClass; or none is left.',
    'Have the holder give it up, or ask for another one; it is tried again every few seconds. A holder of the same Application that gives it up with the same commit, or leaves Git with it, does so first by itself.',
  ),
  VersionStored: person(
    'A CustomResourceDefinition no longer has a version in which objects are still stored.',
    'Keep the version with served: false until they are migrated and status.storedVersions is without it.',
  ),
  FieldManagerConflict: person(
    'Another field manager has a field that Git sets.',
    'Let one of the two set it, or list it in spec.sync.ignore.',
  ),
  Conflict: time('An object changed while it was written.', 'Nothing: it is tried again.'),
  NotOwned: person(
    'An object exists that this Application did not make.',
    'Remove it from one of the two owners; annotate it in Git with towpath.dev/adopt: "true" if nobody owns it, or its owner left it.',
  ),
  Pruning: none(
    'What left Git is being deleted, stage by stage; an object takes its time, and what goes after it waits.',
    'Wait; where the object that the message names stays, look at its finalizers.',
  ),
  DependencyVersion: resource(
    'An Application that spec.dependsOn names runs a chart there whose version is not in the range that is asked for.',
    'Wait until it runs one, promote or deploy that there, or correct the range.',
  ),
  Order: resource(
    'The environment comes after another stage of a PromotionPolicy, which what is new has not passed: one of its environments does not run it, Synced and Healthy. What runs goes on.',
    'Wait; look at the environment that the message names where it stays.',
  ),
  Soak: time(
    'A PromotionPolicy or the Environment wants what is new to be healthy in the stage before for a while, or there is no stage before in which it could be; or an environment of that stage stays on what is so for as long.',
    'Wait; clearsAt says until when. Without it, as the message says.',
  ),
  Verifying: time(
    'What entered an environment by a PromotionPolicy has to stay healthy there for a while, or to pass checks, before it has passed.',
    'Wait; it fails by itself where that does not come.',
  ),
  Checks: resource(
    'A PromotionPolicy or the Environment wants Jobs to succeed in the stage before for what is new, and one failed, could not run, or has not ended, or there is no stage before; or an environment of that stage stays on what is checked until they have.',
    'Look at the logs of the Job that the message names; a newer commit may pass, and a sync of that environment runs again what did not pass.',
  ),
  CheckInvalid: person(
    'A check of a PromotionPolicy or of an Environment cannot be run as it is.',
    'Correct the field that the message names.',
  ),
  StageEmpty: resource(
    'The environment comes after a stage of a PromotionPolicy of which the Application has no environment, so that nothing can pass that.',
    'Add an environment of that stage to spec.environments, or correct the policy.',
  ),
  PolicyGone: resource(
    'What ran there was promoted, and no PromotionPolicy has the environment in a stage for this Application any more: nothing new is deployed, and what runs stays.',
    'Have a policy select the Application again, with the environment in a stage; one stage without `after` follows the source.',
  ),
  PolicyContested: person(
    'Several PromotionPolicies select the Application: nothing new is deployed to its environments.',
    'Change labels of the Application, or the selector of a policy, so that one selects it.',
  ),
  PoliciesUnknown: time(
    'PromotionPolicies cannot be listed, or one cannot be read, so that it is not known what may enter an environment.',
    'Nothing: it is tried again. Where the kind does not exist, apply its CustomResourceDefinition; correct a policy that the message names.',
  ),
  PolicyInvalid: person(
    'A PromotionPolicy cannot be read. Nothing new is deployed to environments of Applications of its namespace.',
    'Correct the fields that the message names.',
  ),
  InForce: none('The PromotionPolicy holds for what is new.'),
  PruneHeld: person(
    'The candidate has no objects at all, so everything that was applied would be deleted; or more objects would be lost than spec.sync.pruneBudget allows; or the environment left spec.environments.',
    'Compare status.environments[].pendingPrune; correct Git, raise spec.sync.pruneBudget or put the environment back, or consent with the annotation towpath.dev/prune-consent.',
  ),
  HandingOver: none(
    'The environment left spec.environments, and another one that lands at the same place takes over its objects.',
    'Wait; where it lasts, look at what is told of the environment that the message names.',
  ),
  SamePlace: person(
    'Two environments of the Application land in the same namespace of the same cluster.',
    'Take one of them out of spec.environments; the one that runs there has the place, or the first one.',
  ),
  Forbidden: resource(
    "The Application's ServiceAccount may not do it.",
    'Give the right to the ServiceAccount that the message names, with a Role and a RoleBinding.',
  ),
  ServiceAccountMissing: resource(
    'The ServiceAccount of the Application does not exist.',
    'Run the two commands that the message shows.',
  ),
  NamespaceNotManaged: person(
    'The namespace that an Environment lands these Applications in is not for them, as its label says, or belongs to Kubernetes or to Towpath.',
    'Label it as the message says if it is meant for them; else let the Environment, or the Application, land elsewhere.',
  ),
  ClusterRoleNotListed: person(
    'An Environment has its access managed with a ClusterRole that the operator may not bind.',
    'Add it to managedAccess.clusterRoles in the values of the chart, or name one that is there.',
  ),
  AccessNotGranted: resource(
    'Towpath itself has no right to make the access that an Environment has managed.',
    'Grant what the message names: by managedAccess.clusterRoles, and towpath in impersonate, in the values of the chart, or on another cluster to the account of the kubeconfig.',
  ),
  OutOfBounds: person(
    'An object stands outside of the target namespace, or in none, and the Environment does not allow that.',
    'Take it out of Git, or have the platform allow its kind: spec.access.clusterScoped of the Environment. Nothing of the candidate was applied there; other environments are not concerned.',
  ),
  NamespaceMissing: resource(
    'The namespace of an object does not exist.',
    'Make it, or add it to the manifests.',
  ),
  NamespaceTerminating: resource(
    'The namespace is being deleted and takes nothing new.',
    'Wait until it is gone.',
  ),
  KindMissing: resource(
    'The cluster does not know a kind.',
    'Install its CustomResourceDefinition, or correct apiVersion and kind.',
  ),
  QuotaExceeded: resource('A ResourceQuota is used up.', 'Raise it, or ask for less.'),
  AdmissionDenied: person(
    'An admission policy or webhook refuses an object.',
    'Change the object as the message says, or ask who owns the policy.',
  ),
  WebhookUnavailable: time(
    'An admission webhook does not answer.',
    'Look at the webhook that the message names.',
  ),
  RenderWarning: person(
    'The chart renders, but not all of it is as its author may think; told as an event only.',
    'Correct the chart as the message says.',
  ),
  ValuesNullDropped: person(
    'A null of spec.helm.values was left out by kubectl apply, so that the default of the chart stays; told as an event only.',
    'Use kubectl apply --server-side, or put the null into a values file.',
  ),
  ApplicationNotFound: resource(
    'A Promotion that a person made is about an Application that does not exist, or that has no such environment.',
    'Make it; or take the Promotion back: kubectl towpath cancel.',
  ),
  EnvironmentNotFound: resource(
    'An Environment that spec.environments names does not exist, and nothing is written there; or it is being deleted, and takes nothing new. What runs there stays.',
    'Make it, or name another one.',
  ),
  EnvironmentInvalid: resource(
    'An Environment cannot be read. What runs there stays, and nothing is written.',
    'Correct the fields of the Environment that the message names.',
  ),
  EnvironmentsUnknown: time(
    'Environments, or the namespaces by whose labels one decides, cannot be listed, or in which cluster one is cannot be written into its status, so that it is not known where to deploy, and whether. What was deployed there before goes on as it is.',
    'Nothing: it is tried again. Where the kind does not exist, apply its CustomResourceDefinition; where the operator lacks the right, install the rules of the chart.',
  ),
  NamespaceInvalid: person(
    'What the Environment makes of its spec.namespace for this Application is no name of a namespace.',
    'Name the Application otherwise, or use another Environment.',
  ),
  NamespaceNotAllowed: resource(
    'The Environment does not take Applications of this namespace. What runs there stays, and nothing is written.',
    'Ask who runs the Environment to add the namespace to its spec.allowedNamespaces.',
  ),
  RepositoryNotAllowed: resource(
    'The Environment takes nothing from this repository, of Git or of charts. What runs there stays, and nothing is written.',
    'Ask who runs the Environment to add the repository to its spec.allowedRepositories.',
  ),
  Frozen: none(
    'The Environment is frozen: something newer waits, and what runs goes on.',
    'Wait for the time in blockedBy, or ask who runs the Environment to end the freeze in its spec.freezes.',
  ),
  OutsideWindow: none(
    'The Environment, or the stage of the policy, lets in what is new in its windows only, and none is open: something newer waits, and what runs goes on.',
    'Wait for the time in blockedBy, or ask who wrote the Environment, or the policy, to change its windows.',
  ),
  WindowInvalid: resource(
    'A window of the Environment, or of the stage, names a time zone that is not known, or none ever begins: nothing new is deployed there, and what runs goes on.',
    'Ask who wrote the Environment, or the policy, to correct its windows; it is noticed at once.',
  ),
  Resolving: none(
    'What a person asks to have promoted waits until it is found out what the source has, and what that comes to there.',
  ),
  AwaitingApproval: none(
    'The Environment, or the stage of the policy, wants persons to approve the manifests that wait, and not enough have.',
    'Look at what changes, and approve or reject it: kubectl towpath approve.',
  ),
  Rejected: none(
    'The manifests that wait are held back there, and what runs goes on: a person rejected them, one who is asked where somebody is, or they failed there before, after they had entered.',
    'Correct it in Git; a newer commit may enter. A person who rejected it may approve it.',
  ),
  Cancelled: none(
    'A person took these manifests back while they were on their way, or verified: they do not come back by themselves, and what runs goes on.',
    'Promote them: kubectl towpath promote; a newer commit enters as usual.',
  ),
  Held: none(
    'A person went back to what runs there, and holds it: nothing new enters, whatever the source and its policy say.',
    'Promote something, or let go of it: kubectl towpath resume.',
  ),
  VerifyFailed: person(
    'What entered failed what its PromotionPolicy wants of it there (`verify`), and stays, as that says, or because there is nothing to go back to. Later stages do not get it.',
    'Look at the object that the message names, and correct it in Git; a newer commit enters.',
  ),
  AdmissionPolicyMissing: resource(
    'The Environment wants approvals, and the API server does not prove who gives one: none counts.',
    'Have who runs Towpath install the ValidatingAdmissionPolicy of the chart, and its binding; approvals from before do not count.',
  ),
  ApprovalsUnknown: time(
    'Approvals, or what proves them, cannot be seen: they are wanted there, or a person may have rejected what is new. What runs goes on.',
    'Nothing: it is tried again. Where the kind does not exist, apply its CustomResourceDefinition.',
  ),
  PromotionsUnknown: time(
    'Promotions, or what proves who made them, cannot be listed, so that it is not known whether a person goes back there: nothing new enters, and what runs goes on.',
    'Nothing: it is tried again. Where the operator lacks the right to list them, install the rules of the chart.',
  ),
  NoPolicy: resource(
    'The Environment takes only what a PromotionPolicy brings there, and none has this Application in a stage there: nothing new is deployed, and what has its first write goes on.',
    'Have exactly one policy select the Application, with the environment in a stage; or ask who runs the Environment.',
  ),
  DependencyNotReady: resource(
    'An Application in dependsOn is not Ready.',
    'Look at the Application that the message names.',
  ),
  DependencyNotFound: resource(
    'An Application in dependsOn does not exist.',
    'Make it, or remove it from dependsOn.',
  ),
  DependencyCycle: person(
    'Applications wait for each other in a circle.',
    'Remove one of the names in the message from its dependsOn.',
  ),
  ClusterUnreachable: time('The API server does not answer.', 'Nothing: it is tried for ever.'),
  InternalError: person(
    'A defect of Towpath keeps it from working on the Application; it is tried again, ever more rarely, and at once when the Application changes.',
    'Send the message, and the Application without what is secret in it, to who runs Towpath: the log of the operator has more.',
  ),
  InvalidSpec: person('The spec cannot be read.', 'Correct the fields that the message names.'),
  RecordDamaged: time(
    "The operator's record of the target cannot be read; it goes on from the objects' labels.",
    'Nothing; tell who runs Towpath if it stays.',
  ),
  RecordNotSaved: time(
    'The operator cannot write its record of the target, without which it applies nothing.',
    'Read the message, and tell who runs Towpath: the Secret is in its namespace. It is tried again.',
  ),
  BeingDeleted: resource(
    'An object of this name is still being deleted.',
    'Wait; if it stays, look at its finalizers.',
  ),
  DeletionFailed: person('The Application cannot be deleted yet.', 'Do what the message says.'),
  Deleting: none('The Application is being deleted.', 'Wait; the message says what is left.'),
} satisfies ReasonTable;

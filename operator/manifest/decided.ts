import { isRecord, type Json, parseExact } from './exact-json.ts';
import { type GroupKind, groupKind, type Manifest } from './manifest.ts';

type Document = { [key: string]: Json };

const ADMISSION = 'admissionregistration.k8s.io';

const RULES = '/rules';

/** By which annotations an injector is asked to fill in the bundle of certificates. */
const INJECTED = [
  'cert-manager.io/inject-ca-from',
  'cert-manager.io/inject-ca-from-secret',
  'cert-manager.io/inject-apiserver-ca',
  'service.beta.openshift.io/inject-cabundle',
];

/** By kind the fields that the control plane decides, or whom the object asks to: whatever Git says of them. */
const DECIDED: ReadonlyMap<GroupKind, (document: Document) => readonly string[]> = new Map([
  ['rbac.authorization.k8s.io/ClusterRole', (role) => (isRecord(role['aggregationRule']) ? [RULES] : [])],
  ['apiregistration.k8s.io/APIService', injected(() => ['/spec/caBundle'])],
  [
    'apiextensions.k8s.io/CustomResourceDefinition',
    injected(() => ['/spec/conversion/webhook/clientConfig/caBundle']),
  ],
  [`${ADMISSION}/MutatingWebhookConfiguration`, injected(bundlesOfWebhooks)],
  [`${ADMISSION}/ValidatingWebhookConfiguration`, injected(bundlesOfWebhooks)],
]);

/**
 * The fields of an object (JSON pointers) that are not Git's to set, because the control plane, or a controller that
 * the object itself asks for it, writes them: sent again and again they would be fought over.
 */
export function decidedPaths(manifest: Manifest): readonly string[] {
  const decide = DECIDED.get(groupKind(manifest));
  if (decide === undefined) return [];
  const document = parseExact(manifest.text);
  return isRecord(document) ? decide(document) : [];
}

/**
 * Those of them that nobody else may hold for the control plane, which takes them away by leaving them out: rights
 * that it no longer gives would stay.
 */
export function unheldPaths(manifest: Manifest): readonly string[] {
  return decidedPaths(manifest).filter((path) => path === RULES);
}

function injected(paths: (document: Document) => readonly string[]) {
  return (document: Document) => {
    const { metadata } = document;
    const annotations = isRecord(metadata) ? metadata['annotations'] : undefined;
    const asks = isRecord(annotations) && INJECTED.some((name) => Object.hasOwn(annotations, name));
    return asks ? paths(document) : [];
  };
}

function bundlesOfWebhooks({ webhooks }: Document): readonly string[] {
  return Array.isArray(webhooks)
    ? webhooks.map((_, index) => `/webhooks/${index}/clientConfig/caBundle`)
    : [];
}

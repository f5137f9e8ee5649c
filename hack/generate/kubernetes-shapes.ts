/** What JSON Schema says of a value. */
export type ValueSchema = Readonly<Record<string, unknown>>;

/** The name of most objects: a DNS subdomain. */
export const SUBDOMAIN = '[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?';
/** The name of a namespace, and of what others are named after: a DNS label. */
export const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

const string: ValueSchema = { type: 'string' };
const integer: ValueSchema = { type: 'integer' };
const list = (items: ValueSchema): ValueSchema => ({ type: 'array', items });
const strings = list(string);
const map = (values: ValueSchema): ValueSchema => ({ type: 'object', additionalProperties: values });
const word = (...words: string[]): ValueSchema => ({ type: 'string', enum: words });

/** An object with these keys and no others. */
function closed(properties: Readonly<Record<string, ValueSchema>>, ...required: string[]): ValueSchema {
  return {
    type: 'object',
    additionalProperties: false,
    properties,
    ...(required.length > 0 && { required }),
  };
}

const expressions = list(closed({ key: string, operator: string, values: strings }, 'key', 'operator'));
const labelSelector = closed({ matchLabels: map(string), matchExpressions: expressions });
const nodeTerm = closed({ matchExpressions: expressions, matchFields: expressions });
const podTerm = closed(
  {
    labelSelector,
    namespaceSelector: labelSelector,
    namespaces: strings,
    topologyKey: string,
    matchLabelKeys: strings,
    mismatchLabelKeys: strings,
  },
  'topologyKey',
);
const weighed = (key: string, term: ValueSchema): ValueSchema =>
  list(closed({ weight: integer, [key]: term }, 'weight', key));
const podAffinity = closed({
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm),
  preferredDuringSchedulingIgnoredDuringExecution: weighed('podAffinityTerm', podTerm),
});
const quantities = map({
  type: ['string', 'number'],
  minimum: 0,
  pattern: '^([0-9]+[.]?[0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$',
});

/**
 * Types of Kubernetes' and the Prometheus Operator's APIs that values hold, closed, so that a typo in them is told at
 * the install: the API server would drop a field that it does not know.
 */
export const SHAPES = {
  affinity: closed({
    nodeAffinity: closed({
      requiredDuringSchedulingIgnoredDuringExecution: closed(
        { nodeSelectorTerms: list(nodeTerm) },
        'nodeSelectorTerms',
      ),
      preferredDuringSchedulingIgnoredDuringExecution: weighed('preference', nodeTerm),
    }),
    podAffinity,
    podAntiAffinity: podAffinity,
  }),
  localReference: closed({ name: { type: 'string', pattern: `^${SUBDOMAIN}$` } }, 'name'),
  networkPolicyPeer: closed({
    podSelector: labelSelector,
    namespaceSelector: labelSelector,
    ipBlock: closed({ cidr: string, except: strings }, 'cidr'),
  }),
  relabeling: closed({
    sourceLabels: strings,
    separator: string,
    targetLabel: string,
    regex: string,
    modulus: integer,
    replacement: string,
    action: string,
  }),
  resources: closed({
    limits: quantities,
    requests: quantities,
    claims: list(closed({ name: string, request: string }, 'name')),
  }),
  toleration: closed({
    key: string,
    operator: word('Exists', 'Equal', 'Lt', 'Gt'),
    value: string,
    effect: word('', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'),
    tolerationSeconds: integer,
  }),
  topologySpread: closed(
    {
      maxSkew: integer,
      topologyKey: string,
      whenUnsatisfiable: word('DoNotSchedule', 'ScheduleAnyway'),
      labelSelector,
      minDomains: integer,
      nodeAffinityPolicy: word('Honor', 'Ignore'),
      nodeTaintsPolicy: word('Honor', 'Ignore'),
      matchLabelKeys: strings,
    },
    'maxSkew',
    'topologyKey',
    'whenUnsatisfiable',
  ),
} as const satisfies Record<string, ValueSchema>;

import { z } from 'zod';
import { durationField } from './duration.ts';
import {
  avoids,
  matches,
  namedList,
  objectName,
  orderedList,
  repositoryPath,
  ruled,
  text,
  valuesField,
  withoutEcho,
} from './schema.ts';
import { VERSION_RANGE } from './version-range.ts';

/** One of the sources of values. */
export const valuesSource = z.object({
  kind: z.enum(['ConfigMap', 'Secret']).meta({ description: 'Kind of the object that has the values.' }),
  name: objectName('Name of the object, which is in the namespace of the Application.'),
  key: ruled(
    text(253, 'The key whose text is a YAML map of values.').min(1),
    matches('^[-._a-zA-Z0-9]+$', 'must be a key of a ConfigMap or Secret: letters, digits, "-", "_" and "."'),
  ).default('values.yaml'),
  optional: z
    .boolean()
    .meta({
      description: 'Whether the render goes on without these values while the object or its key is missing.',
    })
    .default(false),
});

const registrySchema = z.object({
  prefix: ruled(
    text(
      512,
      'What the URL of a repository in Chart.yaml begins with: ghcr.io/acme, https://charts.example.com. The longest one counts.',
    ).min(1),
    matches(
      '^((https|oci)://)?([a-zA-Z0-9.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?(/[^?#@ ]*)?$',
      'must be a host, with a path if need be: ghcr.io/acme, https://charts.example.com',
    ),
  ),
  secretRef: z.object({ name: objectName('Name of the Secret.') }).meta({
    description:
      'Secret of the same namespace with the credentials. Keys: username and password; bearerToken; ca.crt; tls.crt and tls.key; or .dockerconfigjson.',
  }),
});

const CHART_URL = '^(https|oci)://[^-/@][^/@]*(/|$)';

const chartSchema = ruled(
  z.object({
    repoURL: text(
      1024,
      'Address of the Helm repository (https://, where index.yaml is), or of where a registry keeps charts (oci://). It carries no credentials.',
    ).min(1),
    name: ruled(
      text(250, 'Name of the chart, which in a registry comes after repoURL.').min(1),
      matches(
        '^[A-Za-z0-9][A-Za-z0-9._-]*$',
        'must be the name of a chart: letters, digits, "-", "_" and ".", and no "/", which belongs into repoURL',
      ),
    ),
    version: ruled(
      text(
        128,
        'An exact version, which is then never left; or a range of semantic versions, as Helm has them, in which the highest that is published is followed, and as which one with a v before it counts. Pre-releases only where the range names one. Followed are versions of at most 40 characters, with a dot in them.',
      ).min(1),
      matches(
        VERSION_RANGE,
        'must be a version, like 1.2.3, or a range of them, like 1.x, ^1.2 or ">=1.2 <2"',
      ),
    ),
    interval: durationField(
      'How often the repository is asked for newer versions, where version is a range. Applications that share a repository share the shortest interval.',
      '1s',
      '24h',
    ).default('5m'),
    secretRef: z
      .object({ name: objectName('Name of the Secret.') })
      .meta({
        description:
          'Secret of the same namespace with the credentials. Keys: username and password; bearerToken; ca.crt; tls.crt and tls.key; or .dockerconfigjson. Without it the longest prefix in registries counts.',
      })
      .exactOptional(),
    verify: z
      .object({
        secretRef: z.object({ name: objectName('Name of the Secret.') }).meta({
          description:
            'Secret of the same namespace whose key keyring has the public PGP keys of those who may sign the chart, as gpg --export or gpg --export --armor writes them.',
        }),
      })
      .meta({
        description:
          'Takes only what one of these keys signed (helm package --sign), as helm verify finds out; what runs already stays.',
      })
      .exactOptional(),
  }),
  ...withoutEcho(
    'repoURL',
    matches(
      CHART_URL,
      'must be the address of a Helm repository or registry: https://charts.example.com or oci://ghcr.io/acme/charts; credentials belong into a Secret that secretRef names',
    ),
    avoids(
      '[ ?#\\x00-\\x1f\\x7f]',
      'must not have a query, a fragment, spaces or control characters: remove what begins with "?" or "#"',
    ),
  ),
);

/** How a chart is rendered, and which one where it is not in Git. */
export const helmSchema = z.object({
  chart: chartSchema
    .meta({
      description:
        'A chart that somebody published, in place of one in spec.source: of that nothing but values files is read then.',
    })
    .exactOptional(),
  releaseName: ruled(
    text(
      53,
      'The name that templates see as .Release.Name. Default: the name of the Application. It cannot change.',
    ).min(1),
    matches(
      '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
      'must be a name that Helm accepts: at most 53 lower-case letters, digits, "-" and "."',
    ),
  ).exactOptional(),
  skipSchemaValidation: z
    .boolean()
    .meta({
      description:
        "Whether the values.schema.json of the chart and its subcharts is left unasked, as by Helm's --skip-schema-validation.",
    })
    .exactOptional(),
  registries: namedList(
    registrySchema,
    16,
    'Credentials for the repositories that dependencies of the chart are fetched from. A change of a Secret is noticed at once.',
    'prefix',
  ).exactOptional(),
  valuesFiles: orderedList(
    repositoryPath('Path of a values file.', 'rooted'),
    64,
    'Values files, the later wins. Relative to path; with a "/" before it, relative to the root of the repository.',
  ).exactOptional(),
  values: valuesField(
    'Values, which win over valuesFiles and valuesFrom. At most 256 KiB as JSON.',
  ).exactOptional(),
  valuesFrom: orderedList(
    valuesSource,
    32,
    'Values from ConfigMaps and Secrets of this namespace, the later wins; they win over valuesFiles. A change is noticed at once.',
  ).exactOptional(),
});

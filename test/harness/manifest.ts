import { sha256 } from '../../operator/manifest/digest.ts';
import type { Manifest } from '../../operator/manifest/manifest.ts';

/** A ConfigMap of the namespace shop, as a render returns it. */
export function newManifest(name: string, text: string, digest = sha256(text)): Manifest {
  return {
    group: '',
    kind: 'ConfigMap',
    namespace: 'shop',
    name,
    apiVersion: 'v1',
    text,
    digest,
    annotations: {},
  };
}

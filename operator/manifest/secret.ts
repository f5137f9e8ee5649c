import { sha256 } from './digest.ts';
import { canonicalJson, isRecord, parseExact } from './exact-json.ts';
import type { Manifest } from './manifest.ts';

/**
 * A Secret's `stringData` written as the `data` that it becomes. The API server stores only `data`, and
 * server-side apply does not record who owns what came as `stringData`: drift would go unseen, and a key
 * removed in Git would stay. Other objects are returned as they are.
 */
export function withStringDataAsData(manifest: Manifest): Manifest {
  if (manifest.kind !== 'Secret' || manifest.group !== '') return manifest;
  const secret = parseExact(manifest.text);
  if (!isRecord(secret) || !isRecord(secret.stringData)) return manifest;
  const { stringData, ...rest } = secret;
  const values = Object.entries(stringData);
  // What is no text the API server refuses, in words of its own.
  if (values.some(([, value]) => typeof value !== 'string')) return manifest;
  const encoded = values.map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]);
  const data = { ...(isRecord(rest.data) ? rest.data : {}), ...Object.fromEntries(encoded) };
  const text = canonicalJson({ ...rest, data });
  return { ...manifest, text, digest: sha256(text) };
}

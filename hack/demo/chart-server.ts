import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { selfSigned } from '../../test/harness/self-signed.ts';

/** A Helm repository of the demo's, as any server of files is one. */
export interface ChartServer {
  /** `https://127.0.0.1:1234` */
  readonly url: string;
  /** Of its certificate. */
  readonly caFile: string;
  /** Packs a version of the chart `greeter`, and lists it in index.yaml. */
  publish(version: string): void;
  stop(): Promise<void>;
}

const TEMPLATE = `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {says: "{{ .Values.greeting }} from {{ .Chart.Name }} {{ .Chart.Version }}"}
`;

/** @param directory of what it serves, and of its certificate. */
export async function serveCharts(directory: string): Promise<ChartServer> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const cert = selfSigned(privateKey);
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const caFile = join(directory, 'ca.crt');
  writeFileSync(caFile, cert);
  const served = join(directory, 'served');
  mkdirSync(served);
  const server = createServer({ key, cert }, ({ url = '' }, response) => {
    const file = join(served, basename(url));
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const entries: object[] = [];
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile,
    publish: (version) => {
      const archive = pack(directory, served, version);
      const digest = createHash('sha256')
        .update(readFileSync(join(served, archive)))
        .digest('hex');
      entries.unshift({ apiVersion: 'v2', name: 'greeter', version, urls: [archive], digest });
      // JSON is YAML.
      const index = { apiVersion: 'v1', entries: { greeter: entries } };
      writeFileSync(join(served, 'index.yaml'), JSON.stringify(index));
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What `helm package` makes, by tar alone, so that nobody needs helm. Returns the archive's name. */
function pack(directory: string, served: string, version: string): string {
  const source = join(directory, version);
  mkdirSync(join(source, 'greeter/templates'), { recursive: true });
  writeFileSync(join(source, 'greeter/Chart.yaml'), `apiVersion: v2\nname: greeter\nversion: ${version}\n`);
  writeFileSync(join(source, 'greeter/values.yaml'), 'greeting: Hello\n');
  writeFileSync(join(source, 'greeter/templates/greeting.yaml'), TEMPLATE);
  const archive = `greeter-${version}.tgz`;
  execFileSync('tar', ['-C', source, '-czf', join(served, archive), 'greeter']);
  return archive;
}

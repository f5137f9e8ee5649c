import { clusterBinary } from '../../hack/programs.ts';
import { runProgram } from './cluster.ts';

/** PEM texts: a new authority, and a server and a client certificate that it signed. */
export interface Certificates {
  ca: string;
  serverCert: string;
  serverKey: string;
  clientCert: string;
  clientKey: string;
}

/** Certificates for a server on these hosts (names or addresses), valid for a year, of a new authority. */
export async function newCertificates(hosts: readonly string[]): Promise<Certificates> {
  const result = await runProgram(await clusterBinary(), ['certificate', ...hosts]);
  if (result.code !== 0) throw new Error(`cluster certificate: ${result.stderr}`);
  return JSON.parse(result.stdout) as Certificates;
}

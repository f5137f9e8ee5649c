import { Gauge, type Registry } from 'prom-client';

/** The credential of an Environment's kubeconfig, where it says until when it is good. */
export interface CredentialState {
  environment: string;
  expiresAt: Date;
  /** Undefined: it does not say since when. */
  issuedAt: Date | undefined;
}

/** Whether the cluster of an Environment can be worked in. */
export interface ReachState {
  environment: string;
  isReached: boolean;
}

/** Metrics of Environments, read when somebody asks; of one that is gone there are none. */
export function observeEnvironments(
  registry: Registry,
  { credentials, reach }: { credentials(): Iterable<CredentialState>; reach(): Iterable<ReachState> },
): void {
  const registers = [registry];
  new Gauge({
    name: 'towpath_environment_credential_expiry_timestamp_seconds',
    help: "When the certificate or token of an Environment's kubeconfig expires, in seconds since 1970; the leader tells it. None where it does not say.",
    labelNames: ['environment'],
    registers,
    collect() {
      this.reset();
      for (const { environment, expiresAt } of credentials())
        this.set({ environment }, expiresAt.getTime() / 1_000);
    },
  });
  new Gauge({
    name: 'towpath_environment_reachable',
    help: '1 where the cluster of an Environment with a kubeconfig answers, 0 where nothing can be done in it for now; the leader tells it.',
    labelNames: ['environment'],
    registers,
    collect() {
      this.reset();
      for (const { environment, isReached } of reach()) this.set({ environment }, isReached ? 1 : 0);
    },
  });
  new Gauge({
    name: 'towpath_environment_credential_lifetime_seconds',
    help: 'For how long that certificate or token is good in all; +Inf where it does not say since when.',
    labelNames: ['environment'],
    registers,
    collect() {
      this.reset();
      for (const { environment, expiresAt, issuedAt } of credentials())
        this.set(
          { environment },
          issuedAt === undefined
            ? Number.POSITIVE_INFINITY
            : (expiresAt.getTime() - issuedAt.getTime()) / 1_000,
        );
    },
  });
}

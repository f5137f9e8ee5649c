import { addressOf } from '../../manifest/digest.ts';

/** What tells one deployment from all others. */
export interface Recordable {
  /** `<namespace>/<application>/<environment>` */
  readonly target: string;
  readonly applicationUID: string;
  readonly id: number;
  readonly startedAt: string;
}

/** Namespace, Application and environment of a target's name. */
export function partsOf(target: string): { namespace: string; application: string; environment: string } {
  const [namespace = '', application = '', environment = ''] = target.split('/');
  return { namespace, application, environment };
}

/**
 * What the Promotion of a deployment is called. Where that name is another one's (`a-b` in `c`, and `a` in `b-c`; an
 * earlier Application of the name), it is told apart by an address of all that it is. Where somebody took that as well, it
 * has a third one, which nobody can work out.
 */
export function promotionNames({
  target,
  applicationUID,
  id,
  startedAt,
}: Recordable): readonly [string, string] {
  const { application, environment } = partsOf(target);
  const plain = `${application}-${environment}-${id}`;
  return [plain, `${plain}-${addressOf(JSON.stringify([target, applicationUID, id, secondOf(startedAt)]))}`];
}

/** Of one target, and Application: whether both are the same deployment. */
export function isSameDeployment(
  one: Pick<Recordable, 'id' | 'startedAt'>,
  other: Pick<Recordable, 'id' | 'startedAt'>,
): boolean {
  return one.id === other.id && secondOf(one.startedAt) === secondOf(other.startedAt);
}

/** Histories have no milliseconds. */
export function secondOf(time: string): number {
  return Math.floor(Date.parse(time) / 1_000);
}

import { isDeepStrictEqual } from 'node:util';

type Members = { [key: string]: unknown };

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON merge patch (RFC 7396) that makes `after` of `before`; undefined where they are equal. */
export function mergePatchBetween(before: unknown, after: unknown): Members | undefined {
  if (!isObject(before) || !isObject(after)) return isObject(after) ? after : undefined;
  const patch: Members = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const was = before[name];
    const is = after[name];
    if (isDeepStrictEqual(was, is)) continue;
    if (is === undefined) patch[name] = null;
    else if (isObject(was) && isObject(is)) patch[name] = mergePatchBetween(was, is) ?? {};
    else patch[name] = is;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

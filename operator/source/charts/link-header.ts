import { TowpathError } from '../../api/errors.ts';
import { printable } from '../text.ts';
import { asBeginning } from './https-files.ts';

/** More than all headers of an answer may have together. */
const MOST_CHARACTERS = 16_384;
const SHOWN = 200;

/**
 * The page that a Link header (RFC 8288) names as the next one; undefined where there is none. It is asked of the origin
 * that the list was asked of, and of no other (S4). A registry that does not know of the proxy that ends TLS before it
 * names that by `http:`.
 *
 * @param what the list is, for messages.
 * @throws TowpathError ChartIndexInvalid where it is elsewhere: the versions so far would be taken for all.
 */
export function linkedNext(headers: readonly string[], page: URL, what: string): URL | undefined {
  const text = headers.join(', ').slice(0, MOST_CHARACTERS);
  // Linear: each part ends at a sign that it cannot have, and begins at no other than that.
  for (const [, target = '', parameters = ''] of text.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (!/;[ \t]{0,9}rel[ \t]{0,9}=[ \t]{0,9}"?next\b/i.test(parameters)) continue;
    const next = URL.parse(target, page.href);
    if (next?.origin === page.origin) return next;
    if (next !== null && isBehindProxy(next, page))
      return new URL(`${next.pathname}${next.search}`, page.origin);
    // Without a credential.
    const shown = next === null ? target : `${next.protocol}//${next.host}${next.pathname}`;
    throw new TowpathError(
      'Person',
      'ChartIndexInvalid',
      `${asBeginning(what)} goes on at ${printable(shown, SHOWN)}, by its Link header: that is not ${page.origin}, and is not followed, and a part of the versions is not taken for all. Have who runs the registry have it name its pages by a path alone, or by the host that it is reached at.`,
    );
  }
  return undefined;
}

/** The page's own host by `http:`, with its port or none, and in the registry's own API. */
function isBehindProxy(next: URL, page: URL): boolean {
  if (next.protocol !== 'http:' || next.hostname !== page.hostname) return false;
  const isOfPort = next.port === '' || next.port === (page.port || '443');
  return isOfPort && next.pathname.startsWith('/v2/');
}

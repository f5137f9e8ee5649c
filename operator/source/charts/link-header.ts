const MOST_CHARACTERS = 8_192;

/**
 * The page that a Link header (RFC 8288) names as the next one; undefined where there is none, or where it is none of
 * the same origin, to which alone the list was asked of.
 */
export function linkedNext(headers: readonly string[], page: URL): URL | undefined {
  const text = headers.join(', ').slice(0, MOST_CHARACTERS);
  // Linear: each part ends at a sign that it cannot have, and begins at no other than that.
  for (const [, target = '', parameters = ''] of text.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (!/;[ \t]{0,9}rel[ \t]{0,9}=[ \t]{0,9}"?next\b/i.test(parameters)) continue;
    const next = URL.parse(target, page.href);
    return next !== null && next.origin === page.origin ? next : undefined;
  }
  return undefined;
}

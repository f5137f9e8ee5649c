/** Whether a text has control characters, which no name, path or header may have. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** A message's text is looked for in so many times its own length: more is nothing but control characters. */
const LOOKED_AT = 16;

/** A text from elsewhere without control characters and bounded, so that it can stand in a message. */
export function printable(text: string, maxLength = 160): string {
  const head = text.slice(0, maxLength * LOOKED_AT);
  const clean = head
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  return clean.length > maxLength || head.length < text.length ? `${clean.slice(0, maxLength)}…` : clean;
}

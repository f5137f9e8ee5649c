/** Whether a text has control characters, which no name, path or header may have. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** A text from elsewhere without control characters and bounded, so that it can stand in a message. */
export function printable(text: string, maxLength = 160): string {
  const clean = text
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .trim();
  return clean.length > maxLength ? `${clean.slice(0, maxLength)}…` : clean;
}

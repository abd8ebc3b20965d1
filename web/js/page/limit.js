/** Limits of text fields. What is over the limit stays in the field, so that the user can shorten it. */

/** The number of characters as people count them: an emoji is one. */
export const lengthOf = (text) => [...text].length;

/** From this share of the limit on, the counter is shown. */
const COUNTED_FROM = 0.8;

/** "28 of 32 characters" near the limit and above it, otherwise empty. */
export function limitText(text, limit) {
  const length = lengthOf(text);
  return length < COUNTED_FROM * limit ? '' : `${length} of ${limit} characters`;
}

/** Largest number of characters (Unicode code points) of a line. The bot accepts four bytes for each (`bot.text_limit`). */
export const LINE_LIMIT = 2_000;

const number = new Intl.NumberFormat('en');

/** Why a line cannot be sent; empty if it can. */
export function lineProblem(text) {
  const over = lengthOf(text) - LINE_LIMIT;
  if (over <= 0) return '';
  return `This message is too long. Remove ${number.format(over)} ${over === 1 ? 'character' : 'characters'}, or send it in parts.`;
}

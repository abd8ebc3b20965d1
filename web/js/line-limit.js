/** The limit of a line. */

/** Largest number of characters (Unicode code points) of a line. The bot accepts four bytes for each (`bot.text_limit`). */
export const MOST_CHARACTERS = 2_000;
/** The counter appears from here on. */
const COUNTED_FROM = 0.9 * MOST_CHARACTERS;

const number = new Intl.NumberFormat('en');

/** The number of code points. */
export function characters(text) {
  return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0);
}

/** "1,900 of 2,000 characters" near the limit and above it, otherwise empty. */
export function countText(text) {
  const count = characters(text.trim());
  return count < COUNTED_FROM ? '' : `${number.format(count)} of ${number.format(MOST_CHARACTERS)} characters`;
}

/** Why a line cannot be sent; empty if it can. */
export function lineProblem(text) {
  const over = characters(text.trim()) - MOST_CHARACTERS;
  if (over <= 0) return '';
  return `This message is too long. Remove ${number.format(over)} ${over === 1 ? 'character' : 'characters'}, or send it in parts.`;
}

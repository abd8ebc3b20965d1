/** The limit of a line. */

import { lengthOf } from '../page/limit.js';

/** Largest number of characters (Unicode code points) of a line. The bot accepts four bytes for each (`bot.text_limit`). */
export const LINE_LIMIT = 2_000;

const number = new Intl.NumberFormat('en');

/** Why a line cannot be sent; empty if it can. */
export function lineProblem(text) {
  const over = lengthOf(text) - LINE_LIMIT;
  if (over <= 0) return '';
  return `This message is too long. Remove ${number.format(over)} ${over === 1 ? 'character' : 'characters'}, or send it in parts.`;
}

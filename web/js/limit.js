/** Limits of text fields. What is over the limit stays in the field, so that the user can shorten it. */

/** The number of characters as people count them: an emoji is one. */
export const lengthOf = (text) => [...text].length;

/** The last fifth before the limit: from here on the counter is shown. */
const isNear = (length, limit) => length > limit * 0.8;

/** What a counter says: how much is left near the limit, how much is over beyond it, otherwise nothing. */
export function limitText(text, limit) {
  const left = limit - lengthOf(text);
  if (left < 0) return `${-left} too many`;
  return isNear(lengthOf(text), limit) ? `${left} left` : '';
}

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

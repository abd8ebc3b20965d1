/** The start of a text. */

/** Characters of a text that are announced. The page shows the rest. */
const SPOKEN = 300;

/** A text with at most this many characters. */
export function excerpt(text, length = SPOKEN) {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

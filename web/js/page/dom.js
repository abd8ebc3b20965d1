/** Small helpers for building the page without markup strings. */

/** The element with this id. Throws if there is none. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element "${id}"`);
  return element;
}

/**
 * Makes an element. `attributes` whose value is false, null or undefined are left out,
 * `true` writes an empty attribute, and functions become listeners (`onclick`).
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Makes an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One icon of the sprite. It is decoration: the text is beside it. */
export function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, svg('use', { href: `img/icons.svg#${name}` }));
}

/** Shows or hides an element. */
export function show(element, visible) {
  element.hidden = !visible;
}

/** Writes text only if it differs, so that screen readers do not repeat it. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Moves the focus from `leaving` to the first of `targets` that takes it. Call this before `leaving` is hidden, disabled or removed:
 * otherwise the focus falls to the body, and a keyboard starts again at the top. Does nothing if the focus is elsewhere.
 */
export function focusNext(leaving, ...targets) {
  if (!leaving.contains(document.activeElement)) return;
  for (const target of targets) {
    target.focus();
    if (document.activeElement === target) return;
  }
}

/** Makes a button available or not. An unavailable one keeps the focus, unlike a disabled one. Its listener asks `isAvailable`. */
export function setAvailable(button, available) {
  button.setAttribute('aria-disabled', String(!available));
}

export const isAvailable = (button) => button.getAttribute('aria-disabled') !== 'true';

/** "1 message", "2 messages". */
export function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}

/** One of eight colours, always the same for a name. */
export function hue(name) {
  let sum = 7;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  return sum % 8;
}

/** A round picture for a name: the first letter on the name's colour. */
export function avatar(name, { bot = false } = {}) {
  if (bot) return h('span', { class: 'avatar avatar-bot', 'aria-hidden': 'true' }, icon('bot'));
  return h('span', { class: `avatar hue-${hue(name)}`, 'aria-hidden': 'true' }, (name[0] ?? '?').toUpperCase());
}

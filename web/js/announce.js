/** What a screen reader is told: news politely, trouble at once. */

import { byId } from './dom.js';

const CLEAR_AFTER = 6_000;

function announcer(id) {
  let clearing = 0;
  return (text) => {
    const region = byId(id);
    region.append(Object.assign(document.createElement('p'), { textContent: text }));
    clearTimeout(clearing);
    clearing = setTimeout(() => region.replaceChildren(), CLEAR_AFTER);
  };
}

/** Tells when the reader is free. */
export const tell = announcer('news');

/** Tells at once. */
export const alarm = announcer('alarm');

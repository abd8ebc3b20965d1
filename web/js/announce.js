/** Announcements for screen readers: news when the reader is free, alarms at once. */

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

/** Announces when the reader is free. */
export const tell = announcer('news');

/** Announces at once. */
export const alarm = announcer('alarm');

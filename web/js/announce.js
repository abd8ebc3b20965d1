/** Announcements for screen readers. An urgent announcement interrupts, a normal one waits for a pause. */

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

/** Announces at the next pause of the screen reader. */
export const announce = announcer('announcements');

/** Announces at once. */
export const announceUrgent = announcer('urgent-announcements');

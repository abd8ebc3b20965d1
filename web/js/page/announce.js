/** Announcements for screen readers. An urgent announcement interrupts, a normal one waits for a pause. */

import { byId } from './dom.js';

/** How long a line stays in its region. A screen reader reads it when it is added, so it may leave while it is read. */
const SHOWN_FOR = 6_000;
/** The number of lines in a region. Beyond it the oldest line leaves early. */
const MAX_LINES = 20;

/** The regions are not atomic (`aria-atomic="false"`), so that a new line is read alone. */
function announcer(id) {
  return (text) => {
    const region = byId(id);
    const line = Object.assign(document.createElement('p'), { textContent: text });
    region.append(line);
    if (region.children.length > MAX_LINES) region.firstElementChild.remove();
    setTimeout(() => line.remove(), SHOWN_FOR);
  };
}

/** Announces at the next pause of the screen reader. */
export const announce = announcer('announcements');

/** Announces at once. */
export const announceUrgent = announcer('urgent-announcements');

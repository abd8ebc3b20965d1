/** Announces new lines for screen readers, and only their number if many come at once. */

import { count } from '../page/dom.js';
import { excerpt } from '../page/excerpt.js';

/** Lines that come within this time are announced together, in milliseconds. */
const TOGETHER = 1_000;
/** The largest number of lines that are read together. */
const MOST_READ = 3;

/** Returns a function that takes a line and calls `announce` with sentences. The first line is announced at once. */
export function lineAnnouncer(announce) {
  let waiting = null;
  const flush = () => {
    const lines = waiting;
    waiting = null;
    if (lines.length === 0) return;
    if (lines.length > MOST_READ) announce(count(lines.length, 'new message'));
    else for (const line of lines) announce(line);
    start();
  };
  const start = () => {
    waiting = [];
    setTimeout(flush, TOGETHER);
  };
  return (line) => {
    if (waiting) {
      waiting.push(excerpt(line));
      return;
    }
    announce(excerpt(line));
    start();
  };
}

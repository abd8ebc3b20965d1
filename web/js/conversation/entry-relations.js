/** How each entry of a list relates to the one before it. */

import { startOfDay } from './days.js';

/** Entries of one author within this time form a group, in milliseconds. */
const GROUP_TIME = 300_000;

function isOneGroup(entry, previous) {
  if (!previous || entry.from !== previous.from || (entry.answers ?? '') !== (previous.answers ?? '')) return false;
  return entry.at === null || previous.at === null || Math.abs(entry.at - previous.at) < GROUP_TIME;
}

/**
 * For each entry: whether it follows an entry of the same group, and the day that begins with it (a time of that day, or null).
 * A day never begins twice, even if clocks differ.
 */
export function relations(entries) {
  let previous = null;
  let latest = -Infinity;
  return entries.map((entry) => {
    const day = entry.at === null ? -Infinity : startOfDay(entry.at);
    const begins = day > latest;
    if (begins) latest = day;
    const relation = { follows: !begins && isOneGroup(entry, previous), day: begins ? day : null };
    previous = entry;
    return relation;
  });
}

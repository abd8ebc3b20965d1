/** Ages such as "3 minutes ago". They stay right while somebody can see them. */

import { h, write } from '../page/dom.js';

const UPDATE_INTERVAL = 20_000;

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
let timer = 0;

/** "now", "3 minutes ago", "yesterday". A time in the future is "now": the clocks differ. */
export function ago(at, now = Date.now()) {
  const minutes = Math.floor((now - at) / 60_000);
  const hours = Math.floor(minutes / 60);
  if (minutes < 1) return 'now';
  if (minutes < 60) return relative.format(-minutes, 'minute');
  return hours < 24 ? relative.format(-hours, 'hour') : relative.format(-Math.floor(hours / 24), 'day');
}

/** An element with the age of a time in milliseconds. */
export function ageElement(at) {
  timer ||= startUpdates();
  const time = new Date(at);
  return h('time', { class: 'age', datetime: time.toISOString(), title: exact.format(time) }, ago(at));
}

/** Updates all ages that are visible. Call it when a list with ages appears. */
export function updateAges() {
  for (const element of document.querySelectorAll('time.age')) {
    if (element.getClientRects().length > 0) write(element, ago(Date.parse(element.dateTime)));
  }
}

function startUpdates() {
  document.addEventListener('visibilitychange', () => !document.hidden && updateAges());
  return setInterval(() => !document.hidden && updateAges(), UPDATE_INTERVAL);
}

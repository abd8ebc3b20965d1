/** What the small pages have in common: lines, notes between them, the state, and a button that leaves and comes back. */

import { byId, h, write } from '../page/dom.js';
import { wireTheme } from '../page/theme.js';

/** Lines on the page. The oldest go. */
const MAX_LINES = 200;
/** How close to the end a reader follows it, in pixels. */
const NEAR = 40;

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const PANELS = { connecting: 'Connecting…', connected: 'Connected', waiting: 'The connection is lost. Trying again…', closed: 'Disconnected' };

function add(row) {
  const [scroller, list] = [byId('scroller'), byId('lines')];
  const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
  list.append(row);
  if (list.children.length > MAX_LINES) list.firstElementChild.remove();
  if (isAtEnd) scroller.scrollTop = scroller.scrollHeight;
}

/** Adds a line of the conversation, or a headline. `at` is an RFC 3339 time. */
export function addLine({ from, text, at }) {
  const time = Number.isNaN(Date.parse(at)) ? new Date() : new Date(at);
  add(h('li', { class: 'line-row' },
    h('span', { class: 'line-from', dir: 'auto' }, from),
    h('p', {}, text),
    h('time', { class: 'faint small tabular', datetime: time.toISOString() }, clock.format(time))));
}

/** Adds what a publication of the lobby or of the news says. Others, such as that somebody types, are no lines. */
export function addPublication(data) {
  if (data?.kind === 'message') addLine({ from: String(data.from), text: String(data.text), at: data.at });
  else if (typeof data?.headline === 'string') addLine({ from: 'News', text: data.headline, at: data.at });
}

/** Adds a note between the lines. */
export function addNote(text) {
  add(h('li', { class: 'line-note' }, text));
}

/** Shows a state: one of the keys of `PANELS`. `text` replaces its text. */
export function showState(state, text = PANELS[state]) {
  document.body.dataset.connection = state;
  write(byId('state'), text);
  write(byId('toggle'), state === 'closed' ? 'Connect' : 'Disconnect');
}

export function showPosition(position) {
  write(byId('position'), position || '–');
}

/** Connects the buttons. `leave` and `enter` end the connection and begin another one. */
export function wirePage({ user, endpoint, enter, leave }) {
  wireTheme();
  write(byId('user'), user);
  write(byId('endpoint'), endpoint);
  byId('toggle').addEventListener('click', () => {
    if (document.body.dataset.connection === 'closed') return enter();
    leave();
    showState('closed');
    addNote('You left');
  });
}

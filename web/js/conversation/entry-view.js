/** One entry of the conversation as an element. */

import { avatar, h, icon, show, write } from '../page/dom.js';
import { dayLabel, isoDay } from './days.js';

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** What the note of a line says that waits for the connection. */
export const WAITING = 'It will be sent when the connection is back.';

const NOTES = {
  waiting: WAITING,
  aborted: 'This answer was interrupted before its end.',
  failed: 'The bot failed before it finished this answer.',
  gone: 'The rest of this answer did not arrive.',
};

const FAILED = ['refused', 'unknown'];

/** The buttons of an entry and the states in which they are shown. */
const BUTTONS = [
  { states: FAILED, make: () => h('button', { type: 'button', class: 'link', 'data-do': 'retry' }, icon('retry'), 'Send again') },
  { states: FAILED, make: () => h('button', { type: 'button', class: 'link', 'data-do': 'discard' }, 'Discard') },
  { states: ['streaming'], make: () => h('button', { type: 'button', class: 'link', 'data-do': 'stop', 'aria-label': 'Stop this answer' }, 'Stop') },
];

/** Makes the element of an entry; `refreshEntry` fills it. Parts that few entries have are made when they are needed. */
export function entryElement({ from, isBot = false }, me) {
  const isMine = from === me;
  return h('li', { class: `entry ${isMine ? 'mine' : 'theirs'}${isBot ? ' bot' : ''}` },
    avatar(from, { bot: isBot }),
    h('div', { class: 'entry-main' },
      h('p', { class: 'entry-head' },
        h('span', { class: 'entry-from', dir: 'auto' }, isMine ? 'You' : from || 'a guest'),
        h('time', { class: 'faint', hidden: true })),
      h('p', { class: 'bubble', dir: 'auto' }, h('span', { class: 'entry-text' }), isBot && h('span', { class: 'caret', 'aria-hidden': 'true' }))));
}

/** What the note of an entry says: texts and names, by turns. */
export function noteParts(entry, me) {
  if (entry.state === 'sending') return [entry.isSlow ? `Sending… ${entry.note}`.trimEnd() : ''];
  if (entry.state === 'streaming' && entry.isStopping) return ['Stopping…'];
  if (entry.state === 'stopped' && entry.by === me) return ['You stopped this answer.'];
  if (entry.state === 'stopped') return entry.by === '' ? ['This answer was stopped.'] : ['Stopped by ', entry.by, '.'];
  return [NOTES[entry.state] ?? (entry.hasGap ? 'A part of this answer is missing.' : entry.note)];
}

function writeParts(element, parts) {
  if (element.textContent === parts.join('')) return;
  element.replaceChildren(...parts.map((part, i) => (i % 2 === 0 ? part : h('bdi', {}, part))));
}

function writeTime(element, at) {
  show(element, at !== null);
  if (at === null) return;
  element.dateTime = new Date(at).toISOString();
  write(element, clock.format(at));
}

/** Shows whom an answer answers, unless that is the reader. */
function refreshAddressee(element, { answers }, me) {
  if (!answers || answers === me) return;
  let to = element.querySelector('.entry-to');
  if (!to) {
    to = h('span', { class: 'entry-to faint' });
    element.querySelector('.entry-from').after(to);
  }
  writeParts(to, ['to ', answers]);
}

/** Shows the note of an entry and its buttons, if it has any. */
function refreshNote(element, entry, me) {
  const parts = noteParts(entry, me);
  const buttons = entry.isStopping ? [] : BUTTONS.filter(({ states }) => states.includes(entry.state));
  let note = element.querySelector('.entry-note');
  if (buttons.length === 0 && parts.join('') === '') {
    note?.remove();
    return;
  }
  if (!note) {
    note = h('p', { class: 'entry-note' }, h('span', { class: 'entry-note-text' }), h('span', { class: 'entry-actions' }));
    element.querySelector('.entry-main').append(note);
  }
  writeParts(note.firstChild, parts);
  const isStale = note.lastChild.childElementCount !== buttons.length || note.dataset.state !== entry.state;
  if (isStale) note.lastChild.replaceChildren(...buttons.map(({ make }) => make()));
  note.dataset.state = entry.state;
}

/** Updates the element of an entry. */
export function refreshEntry(element, entry, me) {
  element.dataset.state = entry.state;
  element.dataset.from = entry.from;
  if (!entry.isDraft) element.dataset.id = entry.id;
  if (entry.parts) element.dataset.parts = entry.parts;
  if (entry.hasGap) element.dataset.gap = '';
  element.setAttribute('aria-busy', String(entry.state === 'streaming' || entry.state === 'sending'));
  writeTime(element.querySelector('.entry-head time'), entry.at);
  write(element.querySelector('.entry-text'), entry.text.trimEnd());
  refreshAddressee(element, entry, me);
  refreshNote(element, entry, me);
}

/** Shows how the entry relates to the one before it. */
export function relateEntry(element, { follows, day }, now) {
  element.classList.toggle('follows', follows);
  const known = element.querySelector('.day');
  if (day === null) {
    known?.remove();
    return;
  }
  const line = known ?? h('p', { class: 'day' }, h('time'));
  if (!known) element.prepend(line);
  line.firstChild.dateTime = isoDay(day);
  write(line.firstChild, dayLabel(day, now));
}

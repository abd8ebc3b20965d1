/** One entry of the conversation as an element. */

import { avatar, h, icon, show, write } from './dom.js';
import { dayLabel, isoDay } from './days.js';

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

const NOTES = {
  waiting: 'It will be sent when the connection is back.',
  aborted: 'This answer was interrupted before its end.',
  failed: 'The bot failed before it finished this answer.',
  gone: 'The rest of this answer did not arrive.',
};

/** The buttons of an entry: what they do and the states in which they are shown. */
const BUTTONS = [
  { action: 'retry', icon: 'retry', text: 'Send again', states: ['refused', 'unknown'] },
  { action: 'discard', text: 'Discard', states: ['refused', 'unknown'] },
  { action: 'stop', text: 'Stop', label: 'Stop this answer', states: ['streaming'] },
];

const button = ({ action, icon: name, text, label = false }) =>
  h('button', { type: 'button', class: 'link', 'data-do': action, 'aria-label': label }, name && icon(name), text);

/** Makes the element of an entry; `refreshEntry` fills it. */
export function entryElement({ from, isBot = false }, me) {
  const isMine = from === me;
  return h('li', { class: `entry ${isMine ? 'mine' : 'theirs'}${isBot ? ' bot' : ''}` },
    avatar(from, { bot: isBot }),
    h('div', { class: 'entry-main' },
      h('p', { class: 'entry-head' },
        h('span', { class: 'entry-from', dir: 'auto' }, isMine ? 'You' : from || 'a guest'),
        h('span', { class: 'entry-to faint', hidden: true }),
        h('time', { class: 'faint', hidden: true })),
      h('p', { class: 'bubble', dir: 'auto' }, h('span', { class: 'entry-text' }), h('span', { class: 'caret', 'aria-hidden': 'true' })),
      h('button', { type: 'button', class: 'link', 'data-do': 'fold', hidden: true }, 'Show more'),
      h('p', { class: 'entry-note' }, h('span', { class: 'entry-note-text' }), h('span', { class: 'entry-actions' }, ...BUTTONS.map(button)))));
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

/** Updates the element of an entry. */
export function refreshEntry(element, entry, me) {
  const part = (name) => element.querySelector(name);
  element.dataset.state = entry.state;
  element.dataset.from = entry.from;
  if (!entry.isDraft) element.dataset.id = entry.id;
  if (entry.parts) element.dataset.parts = entry.parts;
  if (entry.hasGap) element.dataset.gap = '';
  element.setAttribute('aria-busy', String(entry.state === 'streaming' || entry.state === 'sending'));
  writeTime(part('time'), entry.at);
  const isToOther = Boolean(entry.answers) && entry.answers !== me;
  show(part('.entry-to'), isToOther);
  if (isToOther) writeParts(part('.entry-to'), ['to ', entry.answers]);
  write(part('.entry-text'), entry.text.trimEnd());
  const note = noteParts(entry, me);
  writeParts(part('.entry-note-text'), note);
  let hasButton = false;
  for (const { action, states } of BUTTONS) {
    const visible = states.includes(entry.state) && !entry.isStopping;
    show(part(`[data-do="${action}"]`), visible);
    hasButton ||= visible;
  }
  show(part('.entry-note'), hasButton || note.join('') !== '');
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

/** One entry of the conversation as an element. */

import { avatar, h, icon, show, write } from './dom.js';

const END_NOTES = {
  aborted: 'This answer was stopped before its end.',
  failed: 'The bot failed before it finished this answer.',
  gone: 'The rest of this answer did not arrive.',
};

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/** Makes the element of an entry; `refreshEntry` fills it. */
export function entryElement(entry, { isMine, onRetry, onDiscard }) {
  const { isBot = false } = entry;
  const actions = h('span', { class: 'entry-actions' },
    h('button', { type: 'button', class: 'link', 'data-do': 'retry', onclick: onRetry }, icon('retry'), 'Send again'),
    h('button', { type: 'button', class: 'link', 'data-do': 'discard', onclick: onDiscard }, 'Discard'));
  return h('li', { class: `entry ${isMine ? 'mine' : 'theirs'}${isBot ? ' bot' : ''}` },
    avatar(entry.from, { bot: isBot }),
    h('div', { class: 'entry-main' },
      h('p', { class: 'entry-head' },
        h('span', { class: 'entry-from' }, isMine ? 'You' : entry.from || 'a guest'),
        entry.at && h('time', { class: 'faint', datetime: new Date(entry.at).toISOString() }, clock.format(entry.at))),
      h('p', { class: 'bubble' }, h('span', { class: 'entry-text' }), h('span', { class: 'caret', 'aria-hidden': 'true' })),
      h('p', { class: 'entry-note' }, icon('alert'), h('span', { class: 'entry-note-text' }), actions)));
}

function noteOf(entry) {
  if (entry.state === 'sending') return 'Sending…';
  if (entry.state in END_NOTES) return END_NOTES[entry.state];
  return entry.hasGap ? 'A part of this answer is missing.' : entry.note;
}

/** Updates the element of an entry. */
export function refreshEntry(element, entry) {
  const streaming = entry.state === 'streaming';
  element.dataset.state = entry.state;
  element.dataset.from = entry.from;
  if (!entry.isDraft) element.dataset.id = entry.id;
  if (entry.parts) element.dataset.parts = entry.parts;
  if (entry.hasGap) element.dataset.gap = '';
  element.setAttribute('aria-busy', String(streaming || entry.state === 'sending'));
  write(element.querySelector('.entry-text'), entry.text.trimEnd());
  const note = noteOf(entry);
  show(element.querySelector('.entry-note'), note !== '');
  write(element.querySelector('.entry-note-text'), note);
  show(element.querySelector('.entry-actions'), entry.state === 'refused' || entry.state === 'unknown');
}

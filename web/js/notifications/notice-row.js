/** One notification in the inbox as an element. */

import { clamped } from '../notices/clamped.js';
import { h, icon } from '../page/dom.js';
import { excerpt } from '../page/excerpt.js';
import { levelMark, noticeHead, noticeLink } from '../notices/notice.js';

/** Makes the row of an item. `onRead` is called when the user marks it as read, `onOpen` when the user follows its link. */
export function noticeRow(item, { onRead, onOpen }) {
  const title = h('p', { class: 'notice-title', dir: 'auto' }, item.title);
  const body = item.body && h('p', { class: 'notice-body', dir: 'auto' }, item.body);
  return h('li', { class: `notice level-${item.level} unread`, 'data-id': item.id },
    levelMark(item.level),
    h('div', { class: 'notice-main' },
      noticeHead(item),
      h('span', { class: 'sr-only unread-word' }, 'Unread'),
      clamped([title, body], item.title),
      noticeLink(item, onOpen)),
    h('button', { type: 'button', class: 'icon-button small', 'data-do': 'mark-read', 'aria-label': `Mark as read: ${excerpt(item.title, 80)}`, onclick: onRead }, icon('check')));
}

/** Updates the row of an item: the marks of unread items disappear once it is read. */
export function refreshRow(row, item) {
  if (!item.read || !row.classList.contains('unread')) return;
  row.classList.remove('unread');
  row.querySelector('.unread-word').remove();
  row.querySelector('[data-do="mark-read"]').remove();
}

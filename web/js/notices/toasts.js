/** Notices that appear at the edge of the page for some seconds. */

import { byId, h, icon, show, write } from '../page/dom.js';
import { excerpt } from '../page/excerpt.js';
import { levelMark, noticeHead, noticeLink } from './notice.js';
import { keepInPlace } from './toast-area.js';
import { countDown, expires, hold, isInUse } from './toast-expiry.js';
import { placeAfter, rememberPlace } from './toast-focus.js';

const FADE = 220;
export const MAX_TOASTS = 4;

let openInbox = () => {};

const stack = () => byId('toasts');
const all = () => [...stack().children];
const present = () => [...stack().querySelectorAll('.toast:not(.leaving)')];

/** Connects the toasts to the page. `onMore` opens the inbox. */
export function wireToasts(onMore) {
  openInbox = onMore;
  rememberPlace(stack());
  document.addEventListener('visibilitychange', () => hold(all(), 'background', document.hidden));
  keepInPlace(stack().parentElement, fit);
}

/** Hides the toasts while the inbox is open, which shows the notifications. The other toasts are back when it closes. */
export function inboxOpened(isOpen) {
  if (isOpen) {
    for (const toast of present()) if (toast.dataset.id) remove(toast);
    more()?.remove();
  }
  show(stack().parentElement, !isOpen);
  hold(all(), 'inbox', isOpen);
  if (!isOpen) fit();
}

/**
 * Shows an item: `level`, `title`, and if known `id` (of the notification in the inbox), `body`, `link`, `at`.
 * An item replaces the one with the same `key`. Calls `onClose` when the user closes it, and `onOpen` when the user follows the link.
 */
export function toast(item, { onClose, onOpen } = {}) {
  const key = item.key ?? item.id ?? `${item.title}\n${item.body ?? ''}`;
  const element = toastElement(item, key, (event) => { close(element, event); onClose?.(); }, onOpen);
  for (const old of present()) if (old.dataset.key === key) remove(old);
  stack().append(element);
  expires(element, () => fadeOut(element));
  fit();
}

function toastElement(item, key, onClose, onOpen) {
  const element = h('li', { class: `toast level-${item.level}`, 'data-key': key, 'data-id': item.id ?? false },
    levelMark(item.level),
    h('div', { class: 'toast-main' },
      noticeHead(item),
      h('p', { class: 'toast-title', dir: 'auto' }, item.title),
      item.body && h('p', { class: 'toast-body', dir: 'auto' }, item.body),
      noticeLink(item, onOpen)),
    h('button', { type: 'button', class: 'icon-button small', 'data-do': 'close-toast', 'aria-label': `Close: ${excerpt(item.title, 80)}`, onclick: onClose }, icon('close')));
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    onClose(event);
  });
  return element;
}

function fadeOut(element) {
  if (!element.isConnected || element.classList.contains('leaving')) return;
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return element.remove();
  element.classList.add('leaving');
  setTimeout(() => remove(element), FADE);
}

function close(element, event) {
  if (element.contains(document.activeElement) || document.activeElement === document.body) focusAfter(element, event);
  fadeOut(element);
}

/** Removes a toast that the user did not close. The focus does not fall to the body. */
function remove(element) {
  if (element.contains(document.activeElement)) focusAfter(element);
  element.remove();
}

function focusAfter(element, event) {
  placeAfter(element, present().filter((other) => other !== element), event).focus();
}

/** Removes the oldest toasts that are too many or do not fit, and says how many more the inbox has. */
function fit() {
  const region = stack().parentElement;
  if (region.hidden || region.clientHeight === 0) return;
  const isFull = () => present().length > MAX_TOASTS || stack().getBoundingClientRect().height > region.clientHeight;
  if (isFull()) for (const leaving of stack().querySelectorAll('.leaving')) remove(leaving);
  while (isFull() && present().length > 1) drop(oldest());
  if (isFull()) more()?.remove();
}

/** The first toast to remove. A notification goes before the others, because the inbox has it; the newest toast stays. */
function oldest() {
  const unused = present().slice(0, -1).filter((each) => !isInUse(each));
  return unused.find((each) => each.dataset.id) ?? unused[0] ?? present()[0];
}

function drop(element) {
  if (element.dataset.id) countMore();
  remove(element);
}

const more = () => stack().querySelector('.toast-more:not(.leaving)');

function countMore() {
  const row = more() ?? moreElement();
  row.dataset.count = Number(row.dataset.count) + 1;
  write(row.firstElementChild, `${row.dataset.count} more in Notifications`);
  countDown(row);
}

function moreElement() {
  const row = h('li', { class: 'toast-more', 'data-count': 0 }, h('button', { type: 'button', class: 'button small', 'data-do': 'open-inbox', onclick: () => openInbox() }));
  stack().prepend(row);
  expires(row, () => fadeOut(row));
  return row;
}

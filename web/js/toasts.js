/** Notices that appear at the edge of the page for some seconds. */

import { byId, h, icon, show, write } from './dom.js';
import { levelMark, noticeHead, noticeLink, excerpt } from './notice.js';
import { keepInPlace } from './toast-area.js';

const SHOWN_FOR = 8_000;
const FADE = 220;
export const MAX_TOASTS = 4;

const timers = new WeakMap();
const hovered = new WeakSet();
/** Why no toast expires now: the page is in the background, or the inbox is open. */
const holds = new Set();
let placeBefore = null;
let openInbox = () => {};

const stack = () => byId('toasts');
const present = () => [...stack().querySelectorAll('.toast:not(.leaving)')];
const isInUse = (toast) => hovered.has(toast) || toast.matches(':focus-within');

/** Connects the toasts to the page. `onMore` opens the inbox. */
export function wireToasts(onMore) {
  openInbox = onMore;
  stack().addEventListener('focusin', ({ relatedTarget }) => {
    if (!stack().contains(relatedTarget)) placeBefore = relatedTarget;
  });
  document.addEventListener('visibilitychange', () => hold('background', document.hidden));
  keepInPlace(stack().parentElement, fit);
}

/** Hides the toasts while the inbox is open, which shows the notifications. The other toasts are back when it closes. */
export function inboxOpened(isOpen) {
  if (isOpen) {
    for (const toast of present()) if (toast.dataset.id) remove(toast);
    more()?.remove();
  }
  show(stack().parentElement, !isOpen);
  hold('inbox', isOpen);
  if (!isOpen) fit();
}

function hold(reason, isHeld) {
  if (isHeld) holds.add(reason);
  else holds.delete(reason);
  for (const toast of stack().children) countDown(toast);
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
  expires(element);
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

/** The toast disappears after some seconds, but not while the pointer or the focus is on it. */
function expires(element) {
  element.addEventListener('pointerenter', () => { hovered.add(element); countDown(element); });
  element.addEventListener('pointerleave', () => { hovered.delete(element); countDown(element); });
  element.addEventListener('focusin', () => countDown(element));
  element.addEventListener('focusout', ({ relatedTarget }) => !element.contains(relatedTarget) && setTimeout(() => countDown(element)));
  countDown(element);
}

function countDown(element) {
  clearTimeout(timers.get(element));
  if (holds.size === 0 && !isInUse(element)) timers.set(element, setTimeout(() => fadeOut(element), SHOWN_FOR));
}

function fadeOut(element) {
  if (!element.isConnected || element.classList.contains('leaving')) return;
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return element.remove();
  element.classList.add('leaving');
  setTimeout(() => remove(element), FADE);
}

function close(element, event) {
  if (element.contains(document.activeElement) || document.activeElement === document.body) focusAfter(element, event).focus();
  fadeOut(element);
}

/** Removes a toast that the user did not close. The focus does not fall to the body. */
function remove(element) {
  if (element.contains(document.activeElement)) focusAfter(element).focus();
  element.remove();
}

const isFocusable = (element) => element?.getClientRects().length > 0 && element !== document.body && !element.disabled && !element.closest('[inert]');

/**
 * Where a person goes on. With the keyboard: at the next toast. Otherwise at the place before, or in the message field.
 * After a touch not in the message field, because the keyboard of the screen would appear.
 */
function focusAfter(element, event) {
  const isPointer = event?.detail > 0;
  const others = present().filter((other) => other !== element);
  const next = others.find((other) => element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) ?? others.at(-1);
  const field = event?.pointerType === 'touch' ? byId('scroller') : byId('message-field');
  const places = [isPointer ? null : next?.querySelector('[data-do="close-toast"]'), placeBefore, field, byId('side-title')];
  return places.find(isFocusable) ?? field;
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
  expires(row);
  return row;
}

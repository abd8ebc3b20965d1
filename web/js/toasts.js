/** Notifications that appear at the edge of the page for some seconds. */

import { byId, h, icon } from './dom.js';
import { safeLink } from './inbox.js';

const SHOWN_FOR = 8_000;
const MAX_TOASTS = 4;

export const LEVEL_ICONS = { info: 'info', success: 'check', warning: 'alert', error: 'alert' };

/** The link of a notification, or null. */
export function linkOf(item) {
  const href = safeLink(item.link);
  if (!href) return null;
  return h('a', { class: 'more', href, target: '_blank', rel: 'noopener noreferrer' }, 'Open', icon('out'), h('span', { class: 'sr-only' }, `: ${item.title} (new tab)`));
}

function fadeOut(toast) {
  if (!toast.isConnected || toast.classList.contains('leaving')) return;
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return toast.remove();
  toast.classList.add('leaving');
  setTimeout(() => toast.remove(), 220);
}

/** Removes all toasts, because the list shows them. */
export function clearToasts() {
  for (const element of [...byId('toasts').children]) fadeOut(element);
}

/** Removes the toast after a while, but not while the pointer or the focus is on it. */
function expire(toast) {
  let timer = 0;
  const pause = () => clearTimeout(timer);
  const start = () => {
    pause();
    timer = setTimeout(() => fadeOut(toast), SHOWN_FOR);
  };
  toast.addEventListener('pointerenter', pause);
  toast.addEventListener('pointerleave', start);
  toast.addEventListener('focusin', pause);
  toast.addEventListener('focusout', start);
  start();
}

/** Shows an item. Calls `onClose` when the user closes it. */
export function toast(item, onClose) {
  const stack = byId('toasts');
  const element = h('li', { class: `toast level-${item.level}`, 'data-id': item.id ?? false },
    h('span', { class: 'level-mark' }, icon(LEVEL_ICONS[item.level])),
    h('div', { class: 'toast-main' },
      h('p', { class: 'toast-title' }, item.title),
      item.body && h('p', { class: 'toast-body' }, item.body),
      linkOf(item)),
    h('button', { type: 'button', class: 'icon-button small', 'aria-label': `Close: ${item.title}`, onclick: () => { fadeOut(element); onClose?.(); } }, icon('close')));
  stack.append(element);
  while (stack.children.length > MAX_TOASTS) stack.firstElementChild.remove();
  expire(element);
}

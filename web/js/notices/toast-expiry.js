/** A toast disappears after some seconds, but not while somebody uses it, and not while nobody can see it. */

const SHOWN_FOR = 8_000;

const timers = new WeakMap();
const hovered = new WeakSet();
/** Why no toast expires now: the page is in the background, or the inbox is open. */
const holds = new Set();

/** Whether the pointer or the focus is on the toast. */
export const isInUse = (toast) => hovered.has(toast) || toast.matches(':focus-within');

/** Calls `onExpire` once the toast was there for its time. */
export function expires(toast, onExpire) {
  timers.set(toast, { onExpire, timer: 0 });
  toast.addEventListener('pointerenter', () => { hovered.add(toast); countDown(toast); });
  toast.addEventListener('pointerleave', () => { hovered.delete(toast); countDown(toast); });
  toast.addEventListener('focusin', () => countDown(toast));
  toast.addEventListener('focusout', ({ relatedTarget }) => !toast.contains(relatedTarget) && setTimeout(() => countDown(toast)));
  countDown(toast);
}

/** Starts the time of the toast again, unless something holds it. */
export function countDown(toast) {
  const entry = timers.get(toast);
  clearTimeout(entry.timer);
  if (holds.size === 0 && !isInUse(toast)) entry.timer = setTimeout(entry.onExpire, SHOWN_FOR);
}

/** Holds these toasts for a reason, or lets them expire. */
export function hold(toasts, reason, isHeld) {
  if (isHeld) holds.add(reason);
  else holds.delete(reason);
  for (const toast of toasts) countDown(toast);
}

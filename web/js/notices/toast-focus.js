/** Where a person goes on after a toast that had the focus. */

import { byId } from '../page/dom.js';

let placeBefore = null;

/** Remembers the place from which the focus comes to the toasts. */
export function rememberPlace(stack) {
  stack.addEventListener('focusin', ({ relatedTarget }) => {
    if (!stack.contains(relatedTarget)) placeBefore = relatedTarget;
  });
}

const isFocusable = (element) => element?.getClientRects().length > 0 && element !== document.body && !element.disabled && !element.closest('[inert]');

/**
 * With the keyboard a person goes on at the next toast. Otherwise, or if there is none, at the place before or in the message field.
 * After a touch not in the message field, because the keyboard of the screen would appear. `event` is what closed the toast, if a person did.
 */
export function placeAfter(toast, others, event) {
  const isPointer = event?.detail > 0;
  const next = others.find((other) => toast.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) ?? others.at(-1);
  const field = event?.pointerType === 'touch' ? byId('scroller') : byId('message-field');
  const places = [isPointer ? null : next?.querySelector('[data-do="close-toast"]'), placeBefore, field, byId('side-title')];
  return places.find(isFocusable) ?? field;
}

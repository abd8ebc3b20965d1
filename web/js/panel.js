/** The side panel: beside the conversation on a wide page, over it on a narrow one. */

import { byId } from './dom.js';

const wide = matchMedia('(min-width: 960px)');

function setOpen(open, { moveFocus = false } = {}) {
  const panel = byId('side');
  panel.hidden = !open;
  byId('pill').setAttribute('aria-expanded', String(open));
  byId('chat').inert = open && !wide.matches;
  if (!moveFocus) return;
  (open ? byId('side-title') : byId('pill')).focus();
}

/** Connects the buttons. The width of the page decides whether the panel is open at first. */
export function wirePanel() {
  byId('pill').addEventListener('click', () => setOpen(byId('side').hidden, { moveFocus: true }));
  byId('side-close').addEventListener('click', () => setOpen(false, { moveFocus: true }));
  byId('side').addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !wide.matches) setOpen(false, { moveFocus: true });
  });
  wide.addEventListener('change', () => setOpen(wide.matches));
  setOpen(wide.matches);
}

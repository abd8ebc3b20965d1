/** The side panel: beside the conversation on a wide page, over it on a narrow one. */

import { byId, focusNext } from './dom.js';

const wide = matchMedia('(min-width: 960px)');

/** What a narrow panel covers, without the heading of the page. */
const covered = () => [byId('banner'), byId('scroller'), byId('foot')];

function setOpen(open) {
  const panel = byId('side');
  if (!open) focusNext(panel, byId('pill'));
  panel.hidden = !open;
  byId('pill').setAttribute('aria-expanded', String(open));
  for (const part of covered()) part.inert = open && !wide.matches;
}

function toggle() {
  setOpen(byId('side').hidden);
  if (!byId('side').hidden) byId('side-title').focus();
}

/** Escape closes the panel only where it covers the conversation, and first what lies over the panel. */
function closesWithEscape() {
  const isOnToast = byId('toasts').contains(document.activeElement);
  return !byId('side').hidden && !wide.matches && byId('inbox').hidden && !isOnToast;
}

/** Connects the buttons. The width of the page decides whether the panel is open at first. */
export function wirePanel() {
  byId('pill').addEventListener('click', toggle);
  byId('side-close').addEventListener('click', () => setOpen(false));
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !closesWithEscape()) return;
    setOpen(false);
    byId('pill').focus();
  }, { capture: true });
  wide.addEventListener('change', () => setOpen(wide.matches));
  setOpen(wide.matches);
}

/** Records which buttons the page has and which of them a person pressed. */

import { readFileSync, readdirSync } from 'node:fs';

const SCRIPTS = new URL('../../js/', import.meta.url);

/** Runs in the page. Reports each button that is ever in the document, and each press of one. */
function recordInPage() {
  const BUTTONS = 'button, [role="button"], input[type="button"], input[type="submit"], summary';
  /** The id of the button, or the id of the part of the page that it is in and what it does there. */
  const keyOf = (button) => (button.id ? `#${button.id}` : `${button.closest('[id]')?.id} ${button.dataset.do ?? button.dataset.say ?? `without data-do: ${button.outerHTML.slice(0, 80)}`}`);
  const seen = new Set();
  const look = (node) => {
    if (node.nodeType !== Node.ELEMENT_NODE || !node.isConnected) return;
    for (const button of [...(node.matches(BUTTONS) ? [node] : []), ...node.querySelectorAll(BUTTONS)]) {
      const key = keyOf(button);
      if (seen.has(key)) continue;
      seen.add(key);
      globalThis.recordButton('seen', key);
    }
  };
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) look(node);
  }).observe(document, { childList: true, subtree: true });
  document.addEventListener('click', ({ target, isTrusted }) => {
    const button = target.closest(BUTTONS);
    if (button && isTrusted) globalThis.recordButton('pressed', keyOf(button));
  }, true);
}

/** Sets of the keys of buttons. `watch` records those of all pages of a browser context. */
export function buttonRecord() {
  const record = { seen: new Set(), pressed: new Set() };
  const watch = async (context) => {
    await context.exposeFunction('recordButton', (what, key) => void record[what].add(key));
    await context.addInitScript(recordInPage);
  };
  return { ...record, watch };
}

/** What the buttons that the scripts make do, from `data-do` and from tables with an `action`. A button without `data-do` is an error. */
export function buttonsOfScripts() {
  return readdirSync(SCRIPTS, { recursive: true }).filter((file) => file.endsWith('.js')).flatMap((file) => {
    const script = readFileSync(new URL(file, SCRIPTS), 'utf8');
    for (const [line] of script.matchAll(/(?:h|createElement)\('(?:button|summary)'.*/g)) {
      if (!line.includes("'data-do':")) throw new Error(`${file}: the button needs a 'data-do' on its line: ${line}`);
    }
    return [...script.matchAll(/(?:'data-do'|\baction): '([^']+)'/g)].map(([, action]) => action);
  });
}

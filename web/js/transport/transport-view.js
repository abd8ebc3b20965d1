/** The transports in the connection panel: which one this tab tries first, and which one it uses. */

import { announce } from '../page/announce.js';
import { byId, write } from '../page/dom.js';
import { toast } from '../notices/toasts.js';
import { chosenTransport, titleOf, transportText } from './transports.js';

/** Set while the page loads again after a change. */
const CHANGED_KEY = 'switchboard.transport-changed';

const buttons = () => document.querySelectorAll('[data-do="transport"]');

function wasChanged() {
  const changed = sessionStorage.getItem(CHANGED_KEY) !== null;
  sessionStorage.removeItem(CHANGED_KEY);
  return changed;
}

/** Keeps the choice for the next load of the page, which makes a new client. */
function choose(name) {
  if (name === chosenTransport.first()) return;
  chosenTransport.store(name);
  sessionStorage.setItem(CHANGED_KEY, 'yes');
  location.reload();
}

export class TransportView {
  #first = chosenTransport.first();
  #reports = wasChanged();
  #connection;

  constructor(connection) {
    this.#connection = connection;
    for (const button of buttons()) {
      button.setAttribute('aria-pressed', String(button.dataset.transport === this.#first));
      button.addEventListener('click', () => choose(button.dataset.transport));
    }
    connection.addEventListener('change', () => this.#render());
    this.#render();
  }

  /** Gives the focus back to the button that was pressed before the page was loaded again, or to the way to it. Returns whether there was one. */
  takeFocus() {
    if (!this.#reports) return false;
    const pressed = [...buttons()].find((button) => button.dataset.transport === this.#first);
    (pressed.checkVisibility() ? pressed : byId('pill')).focus();
    return true;
  }

  #render() {
    const used = this.#connection.transport;
    write(byId('transport'), titleOf(used) || '–');
    write(byId('transport-text'), transportText(this.#first, used));
    if (used !== '' && this.#reports) this.#report(used);
  }

  /** Says once what a change led to. */
  #report(used) {
    this.#reports = false;
    const worked = used === this.#first;
    const title = `Now over ${titleOf(used)}`;
    const body = worked ? 'The conversation is the same.' : transportText(this.#first, used);
    toast({ title, body, level: worked ? 'success' : 'warning' });
    announce(`${title}. ${body}`);
  }
}

/** The nodes in the connection panel, with a button to move this tab to another node. */

import { announce } from '../page/announce.js';
import { byId, h, show } from '../page/dom.js';
import { toast } from '../notices/toasts.js';

const POLL_INTERVAL = 10_000;

export class NodesView {
  #nodes;
  #link;
  #move;
  #shown = '';

  /** `move` is called with the address of the chosen node. */
  constructor(nodes, link, connection, move) {
    this.#nodes = nodes;
    this.#link = link;
    this.#move = move;
    const poll = () => connection.state === 'connected' && !document.hidden && nodes.refresh();
    nodes.addEventListener('change', () => this.#render());
    link.addEventListener('node', () => nodes.refresh());
    document.addEventListener('visibilitychange', poll);
    setInterval(poll, POLL_INTERVAL);
  }

  /** Renders only after a change, because a row may have the focus. */
  #render() {
    const here = this.#link.node;
    const others = this.#nodes.others(here);
    const current = JSON.stringify([here, this.#nodes.all]);
    if (current === this.#shown) return;
    this.#shown = current;
    show(byId('nodes-card'), others.length > 0);
    const list = byId('nodes');
    const focused = list.contains(document.activeElement) ? document.activeElement.closest('li').dataset.node : null;
    const rows = this.#nodes.all.filter((node) => node.name === here || others.includes(node));
    list.replaceChildren(...rows.map((node) => this.#row(node, node.name === here)));
    if (focused === null) return;
    const row = [...list.children].find((each) => each.dataset.node === focused);
    (row?.querySelector('button') ?? byId('side-title')).focus();
  }

  #row({ name, url }, isHere) {
    const button = () => h('button', { type: 'button', class: 'button small', 'data-do': 'move', 'aria-label': `Move here: ${name}`, onclick: () => this.#move(url) }, 'Move here');
    return h('li', { class: 'node-row', 'data-node': name, 'aria-current': isHere && 'true' },
      h('p', { class: 'node-row-main' }, h('span', { class: 'node-name' }, name), h('span', { class: 'faint mono' }, new URL(url).host)),
      isHere ? h('span', { class: 'tag' }, 'This tab') : button());
  }
}

/** Tells the user that the move worked. */
export function announceMove(link) {
  link.addEventListener('node', () => {
    const title = `Now on ${link.node}`;
    const body = 'Your conversation and notifications are here.';
    toast({ title, body, level: 'success' });
    announce(`${title}. ${body}`);
  }, { once: true });
}

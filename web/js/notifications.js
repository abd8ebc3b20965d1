/** The personal channel: what comes live, what was missed, what a reload must find again. */

import { Inbox } from './inbox.js';

const PAGE = 50;

/** Events: `change`; `arrived` (items not seen before, and whether they came live). */
export class Notifications extends EventTarget {
  inbox;
  #client;
  #channel;

  constructor(client, user, read) {
    super();
    this.#client = client;
    this.#channel = `#${user}`;
    this.inbox = new Inbox(user);
    this.inbox.takeRead(read);
    client.on('publication', ({ channel, data }) => channel === this.#channel && this.#take([data], true));
    client.on('subscribed', ({ channel, recovered }) => channel === this.#channel && !recovered && this.#load());
    addEventListener('storage', ({ key }) => key === this.inbox.key && this.#synced());
  }

  markRead(id) {
    this.inbox.markRead(id);
    this.#change();
  }

  markAllRead() {
    this.inbox.markAllRead();
    this.#change();
  }

  /** Oldest first, so that the order of arrival is the order of the list. */
  async #load() {
    try {
      const { publications } = await this.#client.history(this.#channel, { limit: PAGE, reverse: true });
      this.#take(publications.reverse().map(({ data }) => data), false);
    } catch {
      // Without its history the bell still rings for what comes from now on.
    }
  }

  #take(datas, isLive) {
    const items = datas.map((data) => this.inbox.add(data)).filter(Boolean);
    if (items.length === 0) return;
    this.dispatchEvent(new CustomEvent('arrived', { detail: { items, isLive } }));
    this.#change();
  }

  #synced() {
    this.inbox.syncRead();
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event('change'));
  }
}

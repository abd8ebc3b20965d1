/** The notifications of the personal channel: live, recovered, and after a reload from the history. */

import { Inbox } from './inbox.js';

const PAGE = 50;
/** The inbox keeps no more. */
const PAGES = 2;

/** Events: `change`; `arrived` (new items, and whether they are live). */
export class Notifications extends EventTarget {
  inbox;
  #client;
  #channel;
  /** Live publications of this turn. The SDK delivers recovered ones in one turn, so they are announced together. */
  #batch = [];

  constructor(client, user, read) {
    super();
    this.#client = client;
    this.#channel = `#${user}`;
    this.inbox = new Inbox(user);
    this.inbox.markReadElsewhere(read);
    client.on('publication', ({ channel, data }) => channel === this.#channel && this.#addLive(data));
    client.on('subscribed', ({ channel, recovered }) => channel === this.#channel && !recovered && this.#load());
    addEventListener('storage', ({ key }) => key === this.inbox.key && this.#syncRead());
  }

  markRead(id) {
    this.inbox.markRead(id);
    this.#change();
  }

  markAllRead() {
    this.inbox.markAllRead();
    this.#change();
  }

  #addLive(data) {
    if (this.#batch.push(data) > 1) return;
    queueMicrotask(() => this.#add(this.#batch.splice(0), true));
  }

  /** Adds the oldest first, so that the list has the order of arrival. */
  async #load() {
    try {
      const publications = [];
      for (let page = 0, since; page < PAGES; page += 1) {
        const answer = await this.#client.history(this.#channel, { limit: PAGE, reverse: true, since });
        publications.push(...answer.publications);
        since = { epoch: answer.epoch, offset: answer.publications.at(-1)?.offset ?? 0 };
        if (since.offset <= 1) break;
      }
      this.#add(publications.reverse().map(({ data }) => data), false);
    } catch {
      // Without the history, new notifications still arrive.
    }
  }

  #add(datas, isLive) {
    const items = datas.map((data) => this.inbox.add(data)).filter(Boolean);
    if (items.length === 0) return;
    this.dispatchEvent(new CustomEvent('arrived', { detail: { items, isLive } }));
    this.#change();
  }

  #syncRead() {
    this.inbox.syncRead();
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event('change'));
  }
}

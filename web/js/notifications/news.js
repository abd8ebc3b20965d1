/** Headlines that services publish in `news:world`: the newest ones from the history, and live ones. */

import { timeOf } from './inbox.js';

const CHANNEL = 'news:world';
const KEEP = 5;
const STORAGE_KEY = 'switchboard.news';

/** The headline in the data of a publication, or null. A notification that was sent to the channel has a title instead. */
export function headlineOf(data) {
  const text = data?.headline ?? (data?.kind === 'notification' ? data.title : null);
  return typeof text === 'string' && text.trim() !== '' ? text.trim() : null;
}

/** Events: `change`; `arrived` (the item of a live headline). An item has `key`, `headline` and `at` (null if unknown). */
export class News extends EventTarget {
  /** Whether this gateway has the channel, and the user may read it. */
  isAvailable = false;
  #sub;
  #epoch = '';
  #items = new Map();
  #arrivals;
  #storage;

  /** `watch` is called with the subscription. */
  constructor(client, watch, storage = globalThis.sessionStorage) {
    super();
    this.#storage = storage;
    this.#arrivals = this.#loadArrivals();
    this.#sub = client.newSubscription(CHANNEL);
    watch(this.#sub);
    this.#sub.on('subscribed', (context) => this.#subscribed(context));
    this.#sub.on('unsubscribed', () => this.#setAvailable(false));
    this.#sub.on('publication', (publication) => this.#publication(publication));
  }

  open() {
    this.#sub.subscribe();
  }

  /** Newest first. */
  list() {
    return [...this.#items.values()].sort((a, b) => b.offset - a.offset).slice(0, KEEP);
  }

  #subscribed({ recovered, streamPosition }) {
    const epoch = streamPosition?.epoch ?? '';
    if (epoch !== this.#epoch) this.#items.clear();
    this.#epoch = epoch;
    this.#setAvailable(true);
    if (!recovered) this.#load();
  }

  /** Reads more than the list shows, because some publications may have no headline. */
  async #load() {
    try {
      const { publications } = await this.#sub.history({ limit: KEEP * 4, reverse: true });
      for (const publication of publications) this.#add(publication, null);
      this.#change();
    } catch {
      // Without the history, new headlines still arrive.
    }
  }

  #publication(publication) {
    const item = this.#add(publication, Date.now());
    if (!item) return;
    this.#storeArrivals();
    this.dispatchEvent(new CustomEvent('arrived', { detail: item }));
    this.#change();
  }

  /** Adds a publication. Returns the item, or null if there is no headline or the item is known. */
  #add({ offset, data }, arrived) {
    const headline = headlineOf(data);
    const key = `${this.#epoch}:${offset}`;
    if (headline === null || this.#items.has(key)) return null;
    const item = { key, offset, headline, at: timeOf(data.at) ?? timeOf(this.#arrivals[key]) ?? arrived };
    this.#items.set(key, item);
    const kept = new Set(this.list());
    for (const each of this.#items.values()) if (!kept.has(each)) this.#items.delete(each.key);
    return item;
  }

  #setAvailable(isAvailable) {
    this.isAvailable = isAvailable;
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event('change'));
  }

  /** The times of arrival survive a reload, because a publication need not have a time. */
  #loadArrivals() {
    try {
      return JSON.parse(this.#storage.getItem(STORAGE_KEY)) ?? {};
    } catch {
      return {};
    }
  }

  #storeArrivals() {
    this.#arrivals = Object.fromEntries(this.list().map(({ key, at }) => [key, at]));
    try {
      this.#storage.setItem(STORAGE_KEY, JSON.stringify(this.#arrivals));
    } catch {
      // Without storage a reload loses the times.
    }
  }
}

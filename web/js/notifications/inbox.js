/** The notifications of a user: each id once. The tabs of a browser share the read marks. */

import { levelOf } from '../notices/levels.js';

/** The newest items are kept. The inbox counts those that it removed. */
const KEEP_ITEMS = 100;
/** Ids that are remembered, also of removed items, so that a repeated notification is not new. */
const KEEP_SEEN = 500;

/** A time in milliseconds, or null if `at` is no time. */
export function timeOf(at) {
  const time = typeof at === 'string' || typeof at === 'number' ? new Date(at).getTime() : NaN;
  return Number.isNaN(time) ? null : time;
}

/** An item from the data of a publication, or from the storage. */
function itemOf(data, read) {
  return {
    id: data.id,
    title: String(data.title ?? ''),
    body: String(data.body ?? ''),
    level: levelOf(data.level),
    link: typeof data.link === 'string' ? data.link : null,
    at: timeOf(data.at) ?? Date.now(),
    read,
  };
}

export class Inbox {
  #items = new Map();
  #seen = new Set();
  #readElsewhere = new Set();
  #removed = 0;
  #storage;
  #key;

  constructor(user, storage = globalThis.localStorage) {
    this.#storage = storage;
    this.#key = `switchboard.inbox.${user}`;
    const kept = this.#load();
    for (const item of kept.items) this.#items.set(item.id, item);
    for (const id of kept.seen) this.#seen.add(id);
    this.#removed = kept.removed;
  }

  /** The key of this inbox in the storage. */
  get key() {
    return this.#key;
  }

  /** Adds the data of a publication. Returns the item, or null if its id was seen before. */
  add(data) {
    if (data?.kind !== 'notification' || typeof data.id !== 'string' || this.#seen.has(data.id) || this.#items.has(data.id)) return null;
    const item = itemOf(data, this.#readElsewhere.has(data.id));
    this.#seen.add(item.id);
    this.#items.set(item.id, item);
    this.#store();
    return item;
  }

  /** Newest first. Of items with the same time, the one that arrived last is first. */
  list() {
    return [...this.#items.values()].reverse().sort((a, b) => b.at - a.at);
  }

  get unread() {
    return [...this.#items.values()].filter((item) => !item.read).length;
  }

  /** How many items were removed, because the inbox keeps only the newest. */
  get removed() {
    return this.#removed;
  }

  /** Ids of all read items. */
  get read() {
    return this.list().filter((item) => item.read).map(({ id }) => id);
  }

  /** Marks items as read that were read elsewhere, also those that arrive later. */
  markReadElsewhere(ids) {
    this.#readElsewhere = new Set(ids);
    for (const item of this.#items.values()) item.read ||= this.#readElsewhere.has(item.id);
    this.#store();
  }

  markRead(id) {
    const item = this.#items.get(id);
    if (item) item.read = true;
    this.#store();
  }

  markAllRead() {
    for (const item of this.#items.values()) item.read = true;
    this.#store();
  }

  /**
   * Another tab wrote to the storage: takes over its read marks. Items are not taken over;
   * they arrive over this tab's own connection.
   */
  syncRead() {
    for (const item of this.#load().items) {
      const mine = this.#items.get(item.id);
      if (mine && item.read) mine.read = true;
    }
  }

  #load() {
    try {
      const kept = JSON.parse(this.#storage.getItem(this.#key)) ?? {};
      const items = Array.isArray(kept.items) ? kept.items.filter((item) => typeof item?.id === 'string') : [];
      return {
        items: items.map((item) => itemOf(item, item.read === true)),
        seen: Array.isArray(kept.seen) ? kept.seen : [],
        removed: Number.isSafeInteger(kept.removed) ? kept.removed : 0,
      };
    } catch {
      return { items: [], seen: [], removed: 0 };
    }
  }

  /** Removes an item. Its id counts as seen last, so that it is remembered longest. */
  #remove(id) {
    this.#items.delete(id);
    this.#seen.delete(id);
    this.#seen.add(id);
    this.#removed += 1;
  }

  #store() {
    for (const { id } of this.list().slice(KEEP_ITEMS)) this.#remove(id);
    this.#seen = new Set([...this.#seen].slice(-KEEP_SEEN));
    try {
      this.#storage.setItem(this.#key, JSON.stringify({ items: this.list().reverse(), seen: [...this.#seen], removed: this.#removed }));
    } catch {
      // Without storage only the memory across reloads is lost.
    }
  }
}

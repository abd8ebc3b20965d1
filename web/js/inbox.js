/** The notifications of a user: each id once. The tabs of a browser share the read marks. */

const KEEP_ITEMS = 100;
const KEEP_SEEN = 500;
const LEVELS = new Set(['info', 'success', 'warning', 'error']);

/** Maps `critical`, `warn` and similar names to one of four levels. */
function levelOf(name) {
  const word = String(name ?? 'info').toLowerCase();
  if (LEVELS.has(word)) return word;
  if (word.startsWith('warn')) return 'warning';
  return word === 'critical' || word === 'fatal' ? 'error' : 'info';
}

/** A link that is safe to follow, or null. */
export function safeLink(link, base = globalThis.location?.href) {
  if (typeof link !== 'string' || link === '') return null;
  try {
    const url = new URL(link, base);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}

/** A time in milliseconds; the current time if there is none. */
function timeOf(at) {
  const time = Date.parse(at);
  return Number.isFinite(time) ? time : Date.now();
}

export class Inbox {
  #items = new Map();
  #seen = new Set();
  #readElsewhere = new Set();
  #storage;
  #key;

  constructor(user, storage = globalThis.localStorage) {
    this.#storage = storage;
    this.#key = `switchboard.inbox.${user}`;
    const kept = this.#load();
    for (const item of kept.items) this.#items.set(item.id, item);
    for (const id of kept.seen) this.#seen.add(id);
  }

  /** The key of this inbox in the storage. */
  get key() {
    return this.#key;
  }

  /** Adds the data of a publication. Returns the item, or null if its id was seen before. */
  add(data) {
    if (data?.kind !== 'notification' || typeof data.id !== 'string' || this.#seen.has(data.id)) return null;
    const item = {
      id: data.id,
      title: String(data.title ?? ''),
      body: String(data.body ?? ''),
      level: levelOf(data.level),
      link: typeof data.link === 'string' ? data.link : null,
      at: timeOf(data.at),
      read: this.#readElsewhere.has(data.id),
    };
    this.#seen.add(item.id);
    this.#items.set(item.id, item);
    this.#store();
    return item;
  }

  /** Newest first. */
  list() {
    return [...this.#items.values()].sort((a, b) => b.at - a.at);
  }

  get unread() {
    return [...this.#items.values()].filter((item) => !item.read).length;
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
      const kept = JSON.parse(this.#storage.getItem(this.#key) ?? '{}');
      return { items: Array.isArray(kept.items) ? kept.items : [], seen: Array.isArray(kept.seen) ? kept.seen : [] };
    } catch {
      return { items: [], seen: [] };
    }
  }

  #store() {
    const kept = new Set(this.list().slice(0, KEEP_ITEMS).map(({ id }) => id));
    for (const id of this.#items.keys()) if (!kept.has(id)) this.#items.delete(id);
    this.#seen = new Set([...this.#seen].slice(-KEEP_SEEN));
    try {
      this.#storage.setItem(this.#key, JSON.stringify({ items: this.list(), seen: [...this.#seen] }));
    } catch {
      // Without storage only the memory across reloads is lost.
    }
  }
}

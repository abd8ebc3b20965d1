/**
 * Lines of this tab that are not known to be in the channel, kept in the tab's storage. They survive a reload. Another user of
 * the same tab does not get them.
 */

/** Number of lines that may wait; further ones are not accepted. */
export const MAX_LINES = 50;
/** How long a line is sent by itself, in milliseconds: as long as the gateway recognises it if it comes twice (`idempotency.ttl`). */
export const MAX_AGE = 3_600_000;
export const EXPIRED = 'It was not sent within an hour.';
export const FROM_ADDRESS = 'It came with the address of this page. Send it if it is yours.';

const ID = /^[A-Za-z0-9-]{32,64}$/;
const ENDED = new Set(['refused', 'unknown']);

const isPlace = (after) => typeof after?.epoch === 'string' && Number.isSafeInteger(after.offset);

/** What is stored of a line. */
export function storable({ id, text, at, after, state, note }) {
  return ENDED.has(state) ? { id, text, at, after, state, note } : { id, text, at, after };
}

/** A stored line as it is used, or null if it is invalid. */
function restored(line, now) {
  if (!ID.test(line?.id) || typeof line.text !== 'string' || line.text.trim() === '' || !Number.isFinite(line.at)) return null;
  const state = ENDED.has(line.state) ? line.state : 'waiting';
  const note = typeof line.note === 'string' ? line.note : '';
  return { id: line.id, text: line.text, at: Math.min(line.at, now), after: isPlace(line.after) ? line.after : null, state, note };
}

/** Anybody can write a line into an address. So the user has to send it. */
function unconfirmed(line) {
  return line?.state === 'waiting' ? { ...line, state: 'refused', note: FROM_ADDRESS } : line;
}

export class Outbox {
  #key;
  #storage;
  #moved = new Set();

  constructor(user, channel, storage = globalThis.sessionStorage) {
    this.#key = `switchboard.outbox.${channel}.${user}`;
    this.#storage = storage;
  }

  /** The stored lines, in the order in which they were said. `arrived` are those of the address, with which a tab comes from another node. */
  read(arrived = null, now = Date.now()) {
    const stored = this.#stored();
    // A tab that comes back from another node brings the lines that it took there. What it does not bring was sent or discarded.
    const ids = new Set(arrived?.map((line) => line?.id));
    const own = stored.filter((line) => !arrived || !line.moved || ids.has(line.id)).map((line) => restored(line, now));
    const foreign = (arrived ?? []).map((line) => unconfirmed(restored(line, now)));
    const lines = new Map([...foreign, ...own].filter(Boolean).map((line) => [line.id, line]));
    return [...lines.values()].sort((a, b) => a.at - b.at).slice(-2 * MAX_LINES);
  }

  write(lines) {
    this.#store(lines.map((line) => (this.#moved.has(line.id) ? { ...storable(line), moved: true } : storable(line))));
  }

  /** Marks the lines that the tab takes to another node. If the tab does not arrive there, it still has them here. */
  markMoved(lines) {
    this.#moved = new Set(lines.map(({ id }) => id));
    this.#store(this.#stored().map((line) => (this.#moved.has(line.id) ? { ...line, moved: true } : line)));
  }

  /** Forgets the lines, because their user leaves the tab. */
  clear() {
    this.#store([]);
  }

  #stored() {
    try {
      const lines = JSON.parse(this.#storage.getItem(this.#key) ?? '[]');
      return Array.isArray(lines) ? lines : [];
    } catch {
      return [];
    }
  }

  #store(lines) {
    try {
      if (lines.length > 0) this.#storage.setItem(this.#key, JSON.stringify(lines));
      else this.#storage.removeItem(this.#key);
    } catch {
      // Without storage the lines are kept as long as the page.
    }
  }
}

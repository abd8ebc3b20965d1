/** Counts the messages that arrived by recovery, as a person would count them. */

/** A stream is the announcement of an answer. Parts and ends of streams, and signals that somebody is typing, are no messages. */
const MESSAGE_KINDS = new Set(['message', 'stream', 'notification']);

const isMessage = (data) => MESSAGE_KINDS.has(data?.kind) || typeof data?.headline === 'string';

export class RecoveredMessages {
  /** Of all recoveries. */
  total = 0;
  /** Of the last recovery. */
  latest = 0;
  #ids = new Set();

  /** The connection is back: a recovery begins. */
  begin() {
    this.latest = 0;
    this.#ids.clear();
  }

  /** Adds the data of a recovered publication. An answer and the announcement of it have the same id and count once. */
  add(data) {
    if (!isMessage(data) || this.#ids.has(data.id)) return;
    if (data.id !== undefined) this.#ids.add(data.id);
    this.latest += 1;
    this.total += 1;
  }
}

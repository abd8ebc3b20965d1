/** Keeps book of the offsets that come in, channel by channel: the proof that nothing is missing or doubled. */

export class Ledger {
  missing = 0;
  doubled = 0;
  #channels = new Map();

  /** A subscription stands. Only where it resumed does the count go on, else it begins anew. */
  subscribed(channel, { recovered, streamPosition }) {
    const known = this.#channels.get(channel);
    if (known && recovered && known.epoch === streamPosition?.epoch) return;
    this.#channels.set(channel, { epoch: streamPosition?.epoch, last: recovered ? null : streamPosition?.offset ?? null });
  }

  /** A publication came, live or recovered. Ephemeral ones have no offset and do not count. */
  publication(channel, offset) {
    const book = this.#channels.get(channel);
    if (!book || !offset) return;
    if (book.last !== null && offset <= book.last) {
      this.doubled += 1;
      return;
    }
    if (book.last !== null) this.missing += offset - book.last - 1;
    book.last = offset;
  }

  /** The subscription is over for good. */
  forget(channel) {
    this.#channels.delete(channel);
  }
}

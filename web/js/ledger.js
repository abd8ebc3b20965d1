/** Records the offsets that arrive, for each channel. So the page can prove that nothing is missing or duplicated. */

export class Ledger {
  missing = 0;
  doubled = 0;
  #channels = new Map();

  /** A subscription is active. If it resumed, the count continues; otherwise it starts again. */
  subscribed(channel, { recovered, streamPosition }) {
    const known = this.#channels.get(channel);
    if (known && recovered && known.epoch === streamPosition?.epoch) return;
    this.#channels.set(channel, { epoch: streamPosition?.epoch, last: recovered ? null : streamPosition?.offset ?? null });
  }

  /** A publication arrived, live or recovered. Ephemeral ones have no offset and do not count. */
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

  /** The subscription has ended. */
  forget(channel) {
    this.#channels.delete(channel);
  }
}

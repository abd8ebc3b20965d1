/** Checks the offsets of each channel: counts publications that are missing or duplicated. */

export class OffsetCheck {
  missing = 0;
  duplicates = 0;
  #channels = new Map();

  /** A subscription is active. If it was resumed, the check continues after the last offset; otherwise it starts again. */
  subscribed(channel, { recovered, streamPosition }) {
    const known = this.#channels.get(channel);
    if (known && recovered && known.epoch === streamPosition?.epoch) return;
    this.#channels.set(channel, { epoch: streamPosition?.epoch, last: recovered ? null : streamPosition?.offset ?? null });
  }

  /** A publication arrived, live or recovered. Ephemeral ones have no offset and do not count. */
  publication(channel, offset) {
    const state = this.#channels.get(channel);
    if (!state || !offset) return;
    if (state.last !== null && offset <= state.last) {
      this.duplicates += 1;
      return;
    }
    if (state.last !== null) this.missing += offset - state.last - 1;
    state.last = offset;
  }

  /** A subscription has ended. */
  forget(channel) {
    this.#channels.delete(channel);
  }
}

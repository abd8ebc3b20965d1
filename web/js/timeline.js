/**
 * The conversation as a list without duplicates.
 *
 * An entry is identified by its id and stays where it first appeared in the channel. A complete
 * answer replaces the stream that announced it. Publications may arrive in any order and any
 * number of times (live, recovered, from the history); the list is the same. Messages of this
 * tab that have not appeared in the channel are at the end.
 */

/** The state of a complete answer, by the reason of its end. Without a reason it is complete. */
const END_STATES = { aborted: 'aborted', failed: 'failed' };

/**
 * Entry states. Drafts: sending, unknown (the outcome), refused. Streams: streaming, aborted, failed,
 * gone (no part for a long time). Complete messages: done, aborted, failed.
 */
export class Timeline {
  #me;
  #entries = new Map();
  #drafts = new Map();
  #epochNumbers = new Map();
  #epochNumber = 0;
  #oldest = Infinity;
  #newest = 0;

  constructor(me) {
    this.#me = me;
  }

  /** The lowest offset seen of the current epoch; Infinity before the first publication. */
  get oldestOffset() {
    return this.#oldest;
  }

  /** The highest offset seen of the current epoch; 0 before the first publication. */
  get newestOffset() {
    return this.#newest;
  }

  get(id) {
    return this.#entries.get(id);
  }

  /** Records that the channel is now in this epoch. Returns whether an earlier epoch ended. */
  enterEpoch(epoch) {
    if (this.#epochNumbers.has(epoch)) return false;
    this.#epochNumber = this.#epochNumbers.size;
    this.#epochNumbers.set(epoch, this.#epochNumber);
    this.#oldest = Infinity;
    this.#newest = 0;
    return this.#epochNumber > 0;
  }

  /** Adds a publication. Returns the entry if it is new or changed, otherwise null. */
  apply({ offset, data }, at = null) {
    if (typeof data?.id !== 'string' || (data.kind !== 'message' && data.kind !== 'stream')) return null;
    this.#recordOffset(offset);
    const known = this.#entries.get(data.id);
    if (!known) return this.#insert(offset, data, at);
    if (known.epochNumber === this.#epochNumber && offset && offset < known.offset) known.offset = offset;
    return data.kind === 'message' && known.kind === 'stream' ? this.#finish(known, data) : null;
  }

  /** Adds a message that this tab is sending. Its id is the id that it will have in the channel. */
  draft(id, text) {
    const entry = { key: `draft-${id}`, id, isDraft: true, kind: 'message', from: this.#me, text, at: Date.now(), state: 'sending', note: '' };
    this.#drafts.set(id, entry);
    return entry;
  }

  /** Records that the message was refused or that its outcome is unknown. Returns false if it appeared in the channel meanwhile. */
  fail(draft, note, outcomeUnknown) {
    if (!this.#drafts.has(draft.id)) return false;
    draft.state = outcomeUnknown ? 'unknown' : 'refused';
    draft.note = note;
    return true;
  }

  discard(draft) {
    this.#drafts.delete(draft.id);
  }

  /** All entries in the order of the channel, drafts last. */
  list() {
    const stored = [...this.#entries.values()].sort((a, b) => a.epochNumber - b.epochNumber || a.offset - b.offset);
    return [...stored, ...this.#drafts.values()];
  }

  #recordOffset(offset) {
    if (!offset) return;
    this.#oldest = Math.min(this.#oldest, offset);
    this.#newest = Math.max(this.#newest, offset);
  }

  #insert(offset, data, at) {
    const isStream = data.kind === 'stream';
    const entry = {
      key: data.id,
      id: data.id,
      kind: data.kind,
      from: String(data.from ?? ''),
      text: isStream ? '' : String(data.text ?? ''),
      channel: data.channel ?? null,
      isBot: isStream || typeof data.stream === 'string',
      offset: offset ?? Infinity,
      epochNumber: this.#epochNumber,
      at: data.at ? Date.parse(data.at) : at,
      state: isStream ? 'streaming' : END_STATES[data.reason] ?? 'done',
      note: '',
      parts: 0,
    };
    this.#entries.set(data.id, entry);
    if (entry.from === this.#me) this.#drafts.delete(entry.id);
    return entry;
  }

  #finish(entry, data) {
    entry.kind = 'message';
    entry.text = String(data.text ?? '');
    const wasOpen = entry.state === 'streaming' || entry.state === 'gone';
    entry.state = END_STATES[data.reason] ?? (wasOpen ? 'done' : entry.state);
    return entry;
  }
}

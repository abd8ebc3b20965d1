/**
 * The conversation as a list without duplicates.
 *
 * An entry is identified by its id and stays where it first appeared in the channel. A complete answer replaces the stream that
 * announced it. Publications may arrive in any order and any number of times (live, recovered, from the history); the list is the
 * same. Lines of this tab that are not yet in the channel are at the end; those that were refused stay where they were said.
 */

import { SortedEntries } from './sorted-entries.js';

/** The state of a complete answer, by the reason of its end. Without a reason it is complete. */
const END_STATES = { stopped: 'stopped', aborted: 'aborted', failed: 'failed' };
const OPEN_STATES = new Set(['streaming', 'gone']);

/** Entries of the channel come before lines of this tab that were said after them. */
const RANK = { stored: 0, draft: 1 };
/** The epoch number of places that an unknown epoch and the end of the list have. */
const BEFORE_ALL = -1;
const AFTER_ALL = Infinity;

/** The time in the data of an entry, in milliseconds; null if there is none. */
function timeOf({ at }) {
  const time = typeof at === 'string' ? Date.parse(at) : NaN;
  return Number.isNaN(time) ? null : time;
}

/**
 * Entry states. Drafts: waiting (for the connection), sending, sent, unknown (the outcome), refused. Streams: streaming, stopped,
 * aborted, failed, gone (no part for a long time). Complete messages: done, stopped, aborted, failed.
 */
export class Timeline {
  #me;
  #list = new SortedEntries();
  #entries = new Map();
  #drafts = new Map();
  #epoch = '';
  #epochNumbers = new Map();
  #oldest = Infinity;
  #newest = 0;
  #number = 0;

  constructor(me) {
    this.#me = me;
  }

  /** The lowest offset of the current epoch that is in the list or was seen; Infinity before the first publication. */
  get oldestOffset() {
    return this.#oldest;
  }

  /** The highest offset seen of the current epoch; 0 before the first publication. */
  get newestOffset() {
    return this.#newest;
  }

  get epoch() {
    return this.#epoch;
  }

  /** All entries in their order. */
  get entries() {
    return this.#list;
  }

  list() {
    return this.#list.slice();
  }

  get(id) {
    return this.#entries.get(id);
  }

  /** Records that the channel is now in this epoch. Returns whether an earlier epoch ended. */
  enterEpoch(epoch) {
    if (this.#epochNumbers.has(epoch)) return false;
    this.#epoch = epoch;
    this.#epochNumbers.set(epoch, this.#epochNumbers.size);
    this.#oldest = Infinity;
    this.#newest = 0;
    for (const draft of this.#drafts.values()) if (draft.isSettled && draft.after.epoch === epoch) this.#list.move(draft, this.#placeAfter(draft.after));
    return this.#epochNumbers.size > 1;
  }

  /** Adds a publication. Returns the entry if it is new or complete now, otherwise null. */
  apply({ offset, data }, arrivedAt = null) {
    this.#recordOffset(offset);
    if (typeof data?.id !== 'string' || (data.kind !== 'message' && data.kind !== 'stream')) return null;
    const known = this.#entries.get(data.id);
    if (!known) return this.#insert(offset, data, arrivedAt);
    this.#moveBack(known, offset);
    if (data.kind === 'stream') this.#addAnnouncement(known, data);
    return data.kind === 'message' && known.kind === 'stream' ? this.#finish(known, data) : null;
  }

  /** Adds a line that this tab sends. Its id is the one that it will have in the channel. `after` is where it was said, if that is known. */
  draft({ id, text, at, after = null, state = 'sending', note = '' }) {
    const entry = { key: id, id, isDraft: true, kind: 'message', from: this.#me, text, at, after: after ?? this.#here(), isSettled: false, state, note };
    this.#drafts.set(id, entry);
    this.#list.insert(entry, this.#placeAtEnd());
    return entry;
  }

  hasDraft(draft) {
    return this.#drafts.get(draft.id) === draft;
  }

  /** Lines of this tab that are not in the channel, in the order in which they were said. */
  drafts() {
    return [...this.#drafts.values()];
  }

  /** The line stays where it was said, or after the newest entry if that is unknown. */
  settle(draft, where = draft.after ?? this.#here()) {
    if (where === null) return;
    Object.assign(draft, { after: where, isSettled: true });
    this.#list.move(draft, this.#placeAfter(where));
  }

  /** The line was stored, so its entry will appear after the newest one. */
  settleHere(draft) {
    this.settle(draft, this.#here());
  }

  /** The line is sent again, so it is at the end. */
  unsettle(draft) {
    Object.assign(draft, { after: this.#here(), isSettled: false });
    this.#drafts.delete(draft.id);
    this.#drafts.set(draft.id, draft);
    this.#list.move(draft, this.#placeAtEnd());
  }

  discard(draft) {
    if (!this.hasDraft(draft)) return;
    this.#drafts.delete(draft.id);
    this.#list.remove(draft);
  }

  /** Forgets the oldest entries, except running answers and lines of this tab. The history still has them. */
  forgetOldest(count) {
    const old = this.#list.slice(0, count).filter((entry) => !entry.isDraft && entry.state !== 'streaming');
    for (const entry of old) {
      this.#entries.delete(entry.id);
      this.#list.remove(entry);
    }
    const [epoch, offset] = old.at(-1)?.place ?? [];
    if (epoch === this.#epochNumber && Number.isFinite(offset)) this.#oldest = offset + 1;
  }

  get #epochNumber() {
    return this.#epochNumbers.get(this.#epoch) ?? 0;
  }

  /** The newest place that this tab knows; null before the first subscribe. */
  #here() {
    return this.#epoch === '' ? null : { epoch: this.#epoch, offset: this.#newest };
  }

  #placeAfter({ epoch, offset }) {
    return [this.#epochNumbers.get(epoch) ?? BEFORE_ALL, offset, RANK.draft, this.#number++];
  }

  #placeAtEnd() {
    return [AFTER_ALL, 0, RANK.draft, this.#number++];
  }

  #recordOffset(offset) {
    if (!offset) return;
    this.#oldest = Math.min(this.#oldest, offset);
    this.#newest = Math.max(this.#newest, offset);
  }

  #moveBack(entry, offset) {
    const [epoch, known] = entry.place;
    if (epoch === this.#epochNumber && offset && offset < known) this.#list.move(entry, [epoch, offset, RANK.stored, this.#number++]);
  }

  #insert(offset, data, arrivedAt) {
    const isStream = data.kind === 'stream';
    const from = String(data.from ?? '');
    const draft = from === this.#me ? this.#drafts.get(data.id) : undefined;
    const entry = {
      // The element of the line stays when the line appears in the channel.
      key: draft?.key ?? (this.#drafts.has(data.id) ? `${from}/${data.id}` : data.id),
      id: data.id,
      kind: data.kind,
      from,
      text: isStream ? '' : String(data.text ?? ''),
      channel: data.channel ?? null,
      isBot: isStream || typeof data.stream === 'string',
      answers: String(data.for ?? ''),
      at: timeOf(data) ?? arrivedAt,
      state: isStream ? 'streaming' : END_STATES[data.reason] ?? 'done',
      by: String(data.by ?? ''),
      note: '',
      parts: 0,
    };
    if (draft) this.discard(draft);
    this.#entries.set(data.id, entry);
    this.#list.insert(entry, [this.#epochNumber, offset ?? Infinity, RANK.stored, this.#number++]);
    return entry;
  }

  /** The announcement of an answer says whom it answers and when it began. In a page of history it comes after the complete answer. */
  #addAnnouncement(entry, data) {
    entry.answers ||= String(data.for ?? '');
    entry.at = timeOf(data) ?? entry.at;
  }

  #finish(entry, data) {
    entry.kind = 'message';
    entry.text = String(data.text ?? '');
    entry.state = END_STATES[data.reason] ?? (OPEN_STATES.has(entry.state) ? 'done' : entry.state);
    entry.by = String(data.by ?? entry.by);
    entry.at ??= timeOf(data);
    return entry;
  }
}

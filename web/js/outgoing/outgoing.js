/** Outgoing lines: kept until they are in the channel or discarded, sent in order, shown in the list. */

import { Delivery } from './delivery.js';
import { errorText } from '../page/error-texts.js';
import { EXPIRED, MAX_AGE, MAX_LINES } from './outbox.js';

/** After this time without an answer the list shows that a line is still being sent, in milliseconds. */
const SLOW_AFTER = 1_000;

/** A unique id of 128 random bits. A line that is sent again with its id is stored once. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function noteOf(state, error) {
  if (!error) return '';
  if (state === 'unknown') return `${errorText(error)} Your message may have arrived.`;
  return errorText(error);
}

export class Outgoing {
  #timeline;
  #outbox;
  #delivery;
  #emit;
  #timer = 0;

  /** `send` is called with a line and resolves when it is stored. `emit` gets the events of the conversation. */
  constructor(timeline, outbox, send, emit) {
    this.#timeline = timeline;
    this.#outbox = outbox;
    this.#emit = emit;
    this.#delivery = new Delivery(send, (...report) => this.#reported(...report));
  }

  /** Shows the lines of the page before its reload, and sends those that still wait. */
  restore(arrived) {
    for (const line of this.#outbox.read(arrived)) {
      const draft = this.#timeline.draft(line);
      if (draft.state === 'waiting') this.#delivery.add(draft);
      else if (draft.after) this.#timeline.settle(draft);
    }
    this.save();
  }

  /** Lines that are not known to be in the channel, in the order in which they were said. */
  lines() {
    return this.#timeline.drafts().filter(({ state }) => state !== 'sent');
  }

  open() {
    return this.#delivery.open();
  }

  close() {
    this.#delivery.close();
    this.save();
  }

  say(text) {
    if (this.lines().length >= MAX_LINES) return null;
    const draft = this.#timeline.draft({ id: newId(), text, at: Date.now() });
    const done = this.#send(draft);
    if (draft.state === 'waiting') this.#emit('waiting');
    return done;
  }

  retry(draft) {
    if (!this.#timeline.hasDraft(draft)) return Promise.resolve();
    Object.assign(draft, { at: Date.now(), note: '' });
    this.#timeline.unsettle(draft);
    return this.#send(draft);
  }

  discard(draft) {
    this.#delivery.remove(draft);
    this.#timeline.discard(draft);
    this.save();
    this.#emit('change');
  }

  /** Stores the lines. Lines that have appeared in the channel are not sent again. */
  save() {
    for (const line of this.#delivery.lines()) if (!this.#timeline.hasDraft(line)) this.#delivery.remove(line);
    this.#expire();
    this.#outbox.write(this.lines());
  }

  #send(draft) {
    const done = this.#delivery.add(draft);
    this.save();
    return done;
  }

  /** A line that waits for too long is not sent by itself any more. */
  #expire() {
    clearTimeout(this.#timer);
    const waiting = this.#delivery.lines();
    for (const line of waiting.filter(({ at }) => Date.now() - at >= MAX_AGE)) {
      this.#delivery.remove(line);
      this.#refuse(line, 'refused', EXPIRED);
    }
    const next = Math.min(...this.#delivery.lines().map(({ at }) => at + MAX_AGE));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.save(), Math.max(1_000, next - Date.now()));
  }

  #reported(line, state, error) {
    if (!this.#timeline.hasDraft(line)) return;
    if (state === 'refused' || state === 'unknown') {
      this.#refuse(line, state, noteOf(state, error));
    } else {
      Object.assign(line, { state, note: noteOf(state, error), isSlow: error !== undefined });
      if (state === 'sending') setTimeout(() => this.#showSlow(line), SLOW_AFTER);
      if (state === 'sent') this.#timeline.settleHere(line);
    }
    if (state !== 'waiting' && state !== 'sending') this.save();
    this.#emit('change', line);
  }

  #showSlow(line) {
    if (line.state !== 'sending' || line.isSlow || !this.#timeline.hasDraft(line)) return;
    line.isSlow = true;
    this.#emit('change', line);
  }

  #refuse(line, state, note) {
    Object.assign(line, { state, note });
    this.#timeline.settle(line);
    this.#emit('refused', note);
    this.#emit('change', line);
  }
}

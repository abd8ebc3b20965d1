/** Sends lines in the order in which they were said, one after another, whenever the conversation is connected. */

import { isOutcomeUnknown } from '../page/error-texts.js';

/** Number of calls for a line whose outcome is unknown; then somebody has to ask for more. */
export const MAX_ATTEMPTS = 8;
/** Number of calls for a line that was not accepted for a temporary reason. */
export const MAX_REFUSALS = 4;
/** Codes of the SDK: the call did not leave this page. */
const NOT_CALLED = new Set([3, 10]);
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;

/** How long to wait after this number of calls without an outcome, in milliseconds. */
export const pauseAfter = (attempts) => Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts - 1));

/**
 * `send` is called with a line; it resolves when the line is stored. A call whose outcome is unknown, or that failed for a
 * temporary reason, is made again with the same line. `report` is called with a line, its state (waiting, sending, sent, refused,
 * unknown) and the error of the last call.
 */
export class Delivery {
  #send;
  #report;
  #queue = [];
  #attempts = new Map();
  #isOpen = false;
  #isSending = false;
  #timer = 0;

  constructor(send, report) {
    this.#send = send;
    this.#report = report;
  }

  /** The lines that are not sent yet, in their order. */
  lines() {
    return this.#queue;
  }

  /** Adds a line. Resolves when no call is in progress. During a pause the line waits too. */
  add(line) {
    this.#queue.push(line);
    this.#attempts.set(line, 0);
    this.#report(line, this.#isOpen ? 'sending' : 'waiting');
    return this.#timer ? Promise.resolve() : this.#run();
  }

  /** Takes a line away, because it is in the channel, or because nobody wants it sent any more. */
  remove(line) {
    this.#queue = this.#queue.filter((each) => each !== line);
    this.#attempts.delete(line);
  }

  /** The conversation is connected: sends what waits. */
  open() {
    this.#isOpen = true;
    for (const line of this.#queue) this.#report(line, 'sending');
    return this.#run();
  }

  /** The connection is lost. A call in progress fails. */
  close() {
    this.#isOpen = false;
    for (const line of this.#queue) this.#report(line, 'waiting');
  }

  async #run() {
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#isSending = true;
    while (this.#isOpen && this.#queue.length > 0) {
      const line = this.#queue[0];
      const pause = await this.#attempt(line);
      if (pause === 0) continue;
      this.#timer = setTimeout(() => this.#run(), pause);
      break;
    }
    this.#isSending = false;
  }

  /** Makes one call. Returns how long to wait before the next one. */
  async #attempt(line) {
    try {
      await this.#send(line);
      this.#end(line, 'sent');
      return 0;
    } catch (error) {
      return this.#failed(line, error);
    }
  }

  #failed(line, error) {
    if (!this.#attempts.has(line)) return 0;
    const mayBeStored = isOutcomeUnknown(error);
    if (!mayBeStored && !error?.temporary && !NOT_CALLED.has(error?.code)) return this.#end(line, 'refused', error);
    const attempts = this.#attempts.get(line) + 1;
    if (attempts >= (error.temporary && !mayBeStored ? MAX_REFUSALS : MAX_ATTEMPTS)) return this.#end(line, mayBeStored ? 'unknown' : 'refused', error);
    this.#attempts.set(line, attempts);
    if (!this.#isOpen) return 0;
    this.#report(line, 'sending', error);
    return pauseAfter(attempts);
  }

  #end(line, state, error) {
    if (!this.#attempts.has(line)) return 0;
    this.remove(line);
    this.#report(line, state, error);
    return 0;
  }
}

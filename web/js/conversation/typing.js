/** Who is typing, and the signal that this user is typing. */

const SHOWN_FOR = 4_000;
const SEND_INTERVAL = 2_500;
const PAUSE_AFTER_ERROR = 15_000;

/** Names of people who are typing. A name is removed if no further signal arrives. */
export class TypingUsers {
  #timers = new Map();
  #onChange;

  constructor(onChange) {
    this.#onChange = onChange;
  }

  started(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.stopped(name), SHOWN_FOR));
    this.#onChange([...this.#timers.keys()]);
  }

  stopped(name) {
    if (!this.#timers.has(name)) return;
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    this.#onChange([...this.#timers.keys()]);
  }
}

/** The parts of "alice is writing" or "alice and bob are writing": names and words by turns, beginning with a name. */
export function typingParts(names) {
  if (names.length === 0) return [];
  if (names.length === 1) return [names[0], ' is writing'];
  if (names.length === 2) return [names[0], ' and ', names[1], ' are writing'];
  return [names[0], ` and ${names.length - 1} others are writing`];
}

/** Calls `send` at a limited rate, and less often after a failure. */
export function throttledTyping(send) {
  let notBefore = 0;
  return () => {
    const now = Date.now();
    if (now < notBefore) return;
    notBefore = now + SEND_INTERVAL;
    send().catch(() => { notBefore = Date.now() + PAUSE_AFTER_ERROR; });
  };
}

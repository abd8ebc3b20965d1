// Waits for events and states, each with a time limit. No test waits for a fixed time instead.

/** The longest wait, in milliseconds. On a busy machine the start of a process alone takes seconds. */
const TIME_LIMIT = 30_000;

/** Waits for a promise. Fails after the time limit; the error says that `what` did not happen. */
export function within(promise, what, limit = TIME_LIMIT) {
    let timer;
    const late = new Promise((_, reject) => {
        const message = () => (typeof what === 'function' ? what() : what);
        timer = setTimeout(() => reject(new Error(`waited ${limit} ms for ${message()}`)), limit);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits for the next `event` of an emitter for which `accept` returns true. Resolves to the event. */
export function next(emitter, event, accept = () => true, limit = TIME_LIMIT) {
    let listener;
    const happened = new Promise((resolve) => {
        listener = (context) => accept(context) && resolve(context);
        emitter.on(event, listener);
    });
    return within(happened, `the event '${event}'`, limit).finally(() => emitter.removeListener(event, listener));
}

/** Calls `probe` until it returns a truthy value, and returns that value. For states that no event announces. */
export async function eventually(probe, what, limit = TIME_LIMIT) {
    const deadline = Date.now() + limit;
    for (;;) {
        const found = await probe();
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`waited ${limit} ms for ${typeof what === 'function' ? what() : what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

/** Wakes all callers that wait for it. */
export class Signal {
    #waiting = [];

    /** Resolves at the next `notify`. */
    notified() {
        return new Promise((resolve) => this.#waiting.push(resolve));
    }

    notify() {
        for (const resolve of this.#waiting.splice(0)) resolve();
    }
}

/** Records all events of one name that an emitter emits, in order. `pick` selects what is recorded of each event. */
export class EventRecorder {
    #signal = new Signal();

    constructor(emitter, event, pick = (context) => context) {
        this.all = [];
        emitter.on(event, (context) => {
            this.all.push(pick(context));
            this.#signal.notify();
        });
    }

    /** Waits until `enough` returns true for the list of recorded events. Resolves to the list. */
    async until(enough, what = 'further events') {
        const received = async () => {
            while (!enough(this.all)) await this.#signal.notified();
        };
        await within(received(), () => `${what}; received ${this.all.length}: ${JSON.stringify(this.all.slice(-3))}`);
        return this.all;
    }

    /** Waits until `count` events are recorded. Resolves to the list of recorded events. */
    count(count) {
        return this.until((all) => all.length >= count, `${count} events`);
    }
}

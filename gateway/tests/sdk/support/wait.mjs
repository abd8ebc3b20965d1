// Waiting for what has to happen, never for time to pass.

const PATIENCE = 10_000;

/** A promise that fails with `what` once patience is at its end. */
export function within(promise, what, patience = PATIENCE) {
    let timer;
    const late = new Promise((_, reject) => {
        const message = () => (typeof what === 'function' ? what() : what);
        timer = setTimeout(() => reject(new Error(`waited ${patience} ms for ${message()}`)), patience);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The next `event` of an emitter that `accept` is content with. */
export function next(emitter, event, accept = () => true) {
    let listener;
    const happened = new Promise((resolve) => {
        listener = (context) => accept(context) && resolve(context);
        emitter.on(event, listener);
    });
    return within(happened, `the event '${event}'`).finally(() => emitter.removeListener(event, listener));
}

/** Repeats `probe` until it returns something true, and returns that. For states that nobody announces. */
export async function eventually(probe, what, patience = PATIENCE) {
    const deadline = Date.now() + patience;
    for (;;) {
        const found = await probe();
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`waited ${patience} ms for ${typeof what === 'function' ? what() : what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

/** A bell that any number may wait for. */
export class Bell {
    #waiting = [];

    rung() {
        return new Promise((resolve) => this.#waiting.push(resolve));
    }

    ring() {
        for (const resolve of this.#waiting.splice(0)) resolve();
    }
}

/** Everything that an emitter says under one name, in order. */
export class EventRecorder {
    #bell = new Bell();

    constructor(emitter, event, pick = (context) => context) {
        this.all = [];
        emitter.on(event, (context) => {
            this.all.push(pick(context));
            this.#bell.ring();
        });
    }

    /** Resolves to everything received, once `enough` is content with it. */
    async until(enough, what = 'enough to be received') {
        const received = async () => {
            while (!enough(this.all)) await this.#bell.rung();
        };
        await within(received(), () => `${what}; received ${this.all.length}: ${JSON.stringify(this.all.slice(-3))}`);
        return this.all;
    }

    /** Resolves to everything received, once there are `count`. */
    count(count) {
        return this.until((all) => all.length >= count, `${count} to be received`);
    }
}

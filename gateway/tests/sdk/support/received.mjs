// What a client without the SDK has received, and the commands that it sends, over any transport.

import { Signal, within } from './wait.mjs';

/** The part that all transports share. A transport has `text`, which sends a text, and `closed`, which resolves to `{ code, reason }`. */
export class Received {
    #id = 0;
    #signal = new Signal();

    /** All received objects in order. */
    frames = [];

    /** Adds objects, or only wakes those who wait for another change. */
    take(...frames) {
        this.frames.push(...frames);
        this.#signal.notify();
    }

    /** Sends commands in one message. Gives each an id, and returns the ids. */
    send(...commands) {
        const numbered = commands.map((command) => ({ id: ++this.#id, ...command }));
        this.text(numbered.map((command) => JSON.stringify(command)).join('\n'));
        return numbered.map((command) => command.id);
    }

    /** Sends one command. Resolves to its reply. */
    async ask(command) {
        const [id] = this.send(command);
        return this.reply(id);
    }

    reply(id) {
        return this.frame((frame) => frame.id === id, `the reply to command ${id}`);
    }

    /** Resolves to the first push that has this field and for whose content `accept` returns true. */
    push(field, accept = () => true) {
        return this.frame((frame) => frame.push?.[field] && accept(frame.push[field]), `a push with ${field}`);
    }

    /** Resolves to the first object, received or future, for which `accept` returns true. */
    async frame(accept, what) {
        const look = async () => {
            for (let at = 0; ; at += 1) {
                while (at >= this.frames.length) await this.#signal.notified();
                if (accept(this.frames[at])) return this.frames[at];
            }
        };
        const closed = this.closed.then(({ code, reason }) => {
            throw new Error(`closed with ${code} (${reason}) before ${what}`);
        });
        return within(Promise.race([look(), closed]), what);
    }

    /** Waits until `isSo` returns true. */
    async until(isSo, what) {
        const look = async () => {
            while (!isSo()) await this.#signal.notified();
        };
        return within(look(), what);
    }

    /** Waits for the end of the connection. Resolves to `{ code, reason }`. */
    end() {
        return within(this.closed, 'the connection to be closed');
    }
}

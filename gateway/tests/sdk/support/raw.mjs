// The frontend protocol without the SDK: what it would never send, and what exactly comes back.

import WebSocket from 'ws';
import { Bell, within } from './wait.mjs';

export class Raw {
    #socket;
    #id = 0;
    #bell = new Bell();

    /** Every object that came, in order, and how many came in each message. */
    frames = [];
    messages = [];

    /** A connection that has been upgraded, and terminated after the test. */
    static async open(t, gateway, options = {}) {
        const raw = new Raw();
        raw.#socket = new WebSocket(gateway.websocket, options.protocols ?? [], options.websocket);
        t.after(() => raw.#socket.terminate());
        raw.closed = new Promise((resolve) => {
            raw.#socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
        });
        raw.#socket.on('message', (data) => raw.#take(data.toString()));
        await within(new Promise((resolve, reject) => raw.#socket.on('open', resolve).on('error', reject)), 'the upgrade');
        return raw;
    }

    /** The same, connected. */
    static async connect(t, gateway, connect = {}) {
        const raw = await Raw.open(t, gateway);
        const reply = await raw.ask({ connect });
        if (reply.error) throw new Error(`connect was answered ${JSON.stringify(reply.error)}`);
        raw.connection = reply.connect;
        return raw;
    }

    #take(text) {
        const frames = text.split('\n').map((line) => JSON.parse(line));
        this.messages.push(frames.length);
        for (const frame of frames) {
            // A ping wants its answer, as the SDK would give it.
            if (Object.keys(frame).length === 0 && !this.mute) this.#socket.send('{}');
            this.frames.push(frame);
        }
        this.#bell.ring();
    }

    /** Sends a text as it is. */
    text(text) {
        this.#socket.send(text);
    }

    /** Sends bytes in a binary message. */
    binary(bytes) {
        this.#socket.send(bytes, { binary: true });
    }

    /** Takes nothing more from the socket until `resume`. */
    pause() {
        this.#socket.pause();
    }

    resume() {
        this.#socket.resume();
    }

    close() {
        this.#socket.close(1000);
    }

    /** Ends the connection without a close frame. */
    terminate() {
        this.#socket.terminate();
    }

    /** Ends the connection with a reset. */
    reset() {
        this.#socket._socket.resetAndDestroy();
    }

    /** Sends commands in one message, each with an id of its own; returns the ids. */
    send(...commands) {
        const numbered = commands.map((command) => ({ id: ++this.#id, ...command }));
        this.text(numbered.map((command) => JSON.stringify(command)).join('\n'));
        return numbered.map((command) => command.id);
    }

    /** The reply to one command. */
    async ask(command) {
        const [id] = this.send(command);
        return this.reply(id);
    }

    reply(id) {
        return this.frame((frame) => frame.id === id, `the reply to command ${id}`);
    }

    /** The first push that has this field and is content with what is in it. */
    push(field, accept = () => true) {
        return this.frame((frame) => frame.push?.[field] && accept(frame.push[field]), `a push with ${field}`);
    }

    /** The first object, of those that came and will come, that `accept` is content with. */
    async frame(accept, what) {
        const look = async () => {
            for (let at = 0; ; at += 1) {
                while (at >= this.frames.length) await this.#bell.rung();
                if (accept(this.frames[at])) return this.frames[at];
            }
        };
        const closed = this.closed.then(({ code, reason }) => {
            throw new Error(`closed with ${code} (${reason}) before ${what}`);
        });
        return within(Promise.race([look(), closed]), what);
    }

    /** How the connection was closed. */
    end() {
        return within(this.closed, 'the connection to be closed');
    }
}

/** An upgrade request that has to be refused; resolves to its problem document. */
export function refusedUpgrade(gateway, headers = {}) {
    const socket = new WebSocket(gateway.websocket, { headers });
    const refused = new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('open', () => reject(new Error('the upgrade was accepted')));
        socket.on('unexpected-response', (_, response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (more) => (text += more));
            response.on('end', () => resolve({ status: response.statusCode, ...JSON.parse(text) }));
        });
    });
    return within(refused, 'the refusal').finally(() => socket.terminate());
}

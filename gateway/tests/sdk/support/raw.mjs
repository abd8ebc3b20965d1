// A client without the SDK. It can send invalid frames, and records the received frames exactly.

import WebSocket from 'ws';
import { Signal, within } from './wait.mjs';

export class Raw {
    #socket;
    #id = 0;
    #signal = new Signal();

    /** All received objects in order, and the number of objects in each message. */
    frames = [];
    messages = [];

    /** The headers of the answer to the upgrade. */
    headers;

    /** Number of received ping frames. The socket answers them, unless it was opened with `{ websocket: { autoPong: false } }`. */
    pings = 0;

    /** Opens a WebSocket without a connect command. It is terminated after the test. `query` begins with a question mark. */
    static async open(t, gateway, options = {}) {
        const raw = new Raw();
        raw.#socket = new WebSocket(gateway.websocket + (options.query ?? ''), options.protocols ?? [], options.websocket);
        t.after(() => raw.#socket.terminate());
        raw.closed = new Promise((resolve) => {
            raw.#socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
        });
        raw.#socket.on('upgrade', ({ headers }) => (raw.headers = headers));
        raw.#socket.on('ping', () => raw.#pinged());
        raw.#socket.on('message', (data) => raw.#receive(data.toString()));
        await within(new Promise((resolve, reject) => raw.#socket.on('open', resolve).on('error', reject)), 'the upgrade');
        return raw;
    }

    /** Opens a WebSocket and sends the connect command. The reply is in `connection`. */
    static async connect(t, gateway, connect = {}, options = {}) {
        const raw = await Raw.open(t, gateway, options);
        const reply = await raw.ask({ connect });
        if (reply.error) throw new Error(`connect was answered ${JSON.stringify(reply.error)}`);
        raw.connection = reply.connect;
        return raw;
    }

    #pinged() {
        this.pings += 1;
        this.#signal.notify();
    }

    #receive(text) {
        const frames = text.split('\n').map((line) => JSON.parse(line));
        this.messages.push(frames.length);
        for (const frame of frames) {
            // Answers a ping, as the SDK does.
            if (Object.keys(frame).length === 0 && !this.mute) this.#socket.send('{}');
            this.frames.push(frame);
        }
        this.#signal.notify();
    }

    /** Sends a text without changes. */
    text(text) {
        this.#socket.send(text);
    }

    /** Sends bytes in a binary message. */
    binary(bytes) {
        this.#socket.send(bytes, { binary: true });
    }

    /** Stops reading from the socket until `resume`. */
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

    /** Resolves when this many ping frames were received. */
    pinged(count) {
        const received = async () => {
            while (this.pings < count) await this.#signal.notified();
        };
        return within(received(), `${count} ping frames`);
    }

    /** Waits for the end of the connection. Resolves to `{ code, reason }`. */
    end() {
        return within(this.closed, 'the connection to be closed');
    }
}

/** Sends an upgrade request that the gateway must refuse. Resolves to the problem document. */
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

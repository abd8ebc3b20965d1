// A client without the SDK. It can send invalid frames, and records the received frames exactly.

import WebSocket from 'ws';
import { Received } from './received.mjs';
import { within } from './wait.mjs';

export class Raw extends Received {
    #socket;

    /** The number of objects in each message. */
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
        this.take();
    }

    #receive(text) {
        const frames = text.split('\n').map((line) => JSON.parse(line));
        this.messages.push(frames.length);
        for (const frame of frames) {
            // Answers a ping, as the SDK does.
            if (Object.keys(frame).length === 0 && !this.mute) this.#socket.send('{}');
        }
        this.take(...frames);
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

    /** Resolves when this many ping frames were received. */
    pinged(count) {
        return this.until(() => this.pings >= count, `${count} ping frames`);
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

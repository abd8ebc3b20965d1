// A STOMP client without a library. It can send invalid frames, and records the received frames exactly.

import WebSocket from 'ws';
import { token } from './token.mjs';
import { Signal, within } from './wait.mjs';

const SOCKJS_OPEN = 'o';

/** Escapes a header as STOMP 1.2 wants it. */
const escaped = (text) => text.replace(/[\\\r\n:]/g, (char) => ({ '\\': '\\\\', '\r': '\\r', '\n': '\\n', ':': '\\c' })[char]);
const unescaped = (text) => text.replace(/\\[rnc\\]/g, (pair) => ({ '\\r': '\r', '\\n': '\n', '\\c': ':', '\\\\': '\\' })[pair]);

/** The headers of CONNECT for this user. */
export const bearer = (user) => ({ Authorization: `Bearer ${token({ sub: user })}` });

/** A frame as bytes. */
export function frame(command, headers = {}, body = '') {
    const escape = command === 'CONNECT' || command === 'STOMP' ? (text) => text : escaped;
    const lines = Object.entries(headers).map(([name, value]) => `${escape(name)}:${escape(value)}\n`);
    return Buffer.concat([Buffer.from(`${command}\n${lines.join('')}\n`), Buffer.from(body), Buffer.from([0])]);
}

/** The frame in a message: `{ command, headers, body, names }`. `names` has the names of all headers in order. */
function parsed(bytes) {
    if (bytes.at(-1) !== 0) throw new Error(`a message that is no frame: ${bytes}`);
    const head = bytes.indexOf('\n\n');
    const [command, ...lines] = bytes.subarray(0, head).toString().split('\n');
    const unescape = command === 'CONNECTED' ? (text) => text : unescaped;
    const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)].map(unescape));
    const headers = Object.fromEntries([...pairs].reverse()); // of repeated headers, the first counts
    return { command, headers, names: pairs.map(([name]) => name), body: bytes.subarray(head + 2, -1) };
}

export class RawStomp {
    #socket;
    #signal = new Signal();
    #isSockJs = false;
    #id = 0;

    /** Received frames in order. `{ command: 'beat' }` stands for a heart-beat. */
    frames = [];
    /** The sub-protocol that the server has chosen, or an empty text. */
    protocol;

    /** Opens a WebSocket. It is terminated after the test. `options`: `path`, `query`, `protocols`, `websocket` (options of the library). */
    static async open(t, gateway, { path = '', query = '', protocols = [], websocket } = {}) {
        const raw = new RawStomp();
        raw.#isSockJs = /\/[^/]+\/[^/]+\/websocket$/.test(path);
        raw.#socket = new WebSocket(gateway.stomp + path + query, protocols, websocket);
        t.after(() => raw.#socket.terminate());
        raw.closed = new Promise((resolve) => raw.#socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
        raw.#socket.on('message', (data, isBinary) => raw.#receive(data, isBinary));
        await within(new Promise((resolve, reject) => raw.#socket.on('open', resolve).on('error', reject)), 'the upgrade');
        raw.protocol = raw.#socket.protocol;
        return raw;
    }

    /** Opens a WebSocket and connects, as ann if no headers are given. The CONNECTED frame is in `connection`. */
    static async connect(t, gateway, headers = bearer('ann'), options = {}) {
        const raw = await RawStomp.open(t, gateway, options);
        raw.send('CONNECT', { 'accept-version': '1.2', ...headers });
        raw.connection = await raw.frame(({ command }) => command === 'CONNECTED', 'CONNECTED');
        return raw;
    }

    #receive(data, isBinary) {
        if (!this.#isSockJs) this.#record(data, isBinary);
        else for (const text of this.#sockJs(data.toString())) this.#record(Buffer.from(text), false);
        this.#signal.notify();
    }

    #sockJs(text) {
        if (text === SOCKJS_OPEN || text[0] === 'c') {
            this.frames.push({ command: text[0], text });
            return [];
        }
        if (text[0] !== 'a') throw new Error(`no frame of SockJS: ${text}`);
        return JSON.parse(text.slice(1));
    }

    #record(bytes, isBinary) {
        this.frames.push(bytes.equals(Buffer.from('\n')) ? { command: 'beat' } : { ...parsed(bytes), isBinary });
    }

    /** Sends a message: bytes in a binary one, a text in a text one. */
    message(content) {
        const text = this.#isSockJs ? JSON.stringify([content.toString()]) : content;
        this.#socket.send(text);
    }

    /** Sends a frame in a text message. */
    send(command, headers, body) {
        this.message(frame(command, headers, body).toString());
    }

    /** Sends a frame with a receipt, and waits for the receipt. Fails upon ERROR. */
    async ask(command, headers = {}, body = '') {
        const receipt = `receipt-${(this.#id += 1)}`;
        this.send(command, { ...headers, receipt }, body);
        const answer = await this.frame((it) => it.headers?.['receipt-id'] === receipt, `the receipt of ${command}`);
        if (answer.command !== 'RECEIPT') throw new Error(`${command} was answered ${JSON.stringify(answer.headers)} ${answer.body}`);
        return answer;
    }

    /** Subscribes with the destination as the id, and waits for the receipt. */
    subscribe(destination, headers = {}) {
        return this.ask('SUBSCRIBE', { id: destination, destination, ...headers });
    }

    /** Waits for an ERROR frame. */
    error() {
        return this.frame(({ command }) => command === 'ERROR', 'ERROR');
    }

    /** Waits until this many messages of a subscription are received. Resolves to them. */
    async messages(subscription, count) {
        const found = () => this.frames.filter(({ command, headers }) => command === 'MESSAGE' && headers.subscription === subscription);
        await this.#until(() => found().length >= count, `${count} messages of ${subscription}`);
        return found();
    }

    /** Resolves to the first frame, received or future, for which `accept` returns true. */
    async frame(accept, what) {
        await this.#until(() => this.frames.some(accept), what);
        return this.frames.find(accept);
    }

    async #until(isDone, what) {
        const look = async () => {
            while (!isDone()) await this.#signal.notified();
        };
        const shown = () => `${what}; received ${JSON.stringify(this.frames.map(({ body, ...rest }) => ({ ...rest, body: body?.toString() })))}`;
        const closed = this.closed.then(({ code, reason }) => {
            if (!isDone()) throw new Error(`closed with ${code} (${reason}) before ${shown()}`);
        });
        await within(Promise.race([look(), closed]), shown);
    }

    close() {
        this.#socket.close(1000);
    }

    /** Waits for the end of the connection. Resolves to `{ code, reason }`. */
    end() {
        return within(this.closed, 'the connection to be closed');
    }
}

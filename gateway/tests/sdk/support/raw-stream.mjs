// A client of the SDK's fallbacks without the SDK. The first commands are in the request that opens the stream; further ones go to
// /emulation, one request after the other.

import { request } from 'node:http';
import { Received } from './received.mjs';
import { within } from './wait.mjs';

/** The end of a stream that said nothing before. WebSockets have the same code for it. */
const UNTOLD = { code: 1006, reason: '' };

/** Takes the messages out of a stream's text. Each call gets the next part of the text, and returns the complete messages. */
const READERS = {
    http_stream() {
        let rest = '';
        return (text) => {
            const lines = (rest + text).split('\n');
            rest = lines.pop();
            return lines;
        };
    },
    sse() {
        let rest = '';
        return (text) => {
            const events = (rest + text).split('\n\n');
            rest = events.pop();
            return events.flatMap(messagesOf);
        };
    },
};

/** The messages in one event, each in a line of its data. Comments have none. */
function messagesOf(event) {
    const lines = event.split('\n').filter((line) => line.startsWith('data: '));
    return lines.map((line) => line.slice('data: '.length));
}

/** The request that opens a stream with these commands. */
const OPENINGS = {
    http_stream: (text) => ({ method: 'POST', path: '/connection/http_stream', type: 'application/json', body: text }),
    sse: (text) => ({ method: 'GET', path: `/connection/sse?${new URLSearchParams({ cf_connect: text })}` }),
};

/** Sends a request on a connection of its own. Resolves to the response, whose body has not been read. */
export function ask(url, { method, path, type, headers = {}, body }) {
    const length = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
        const asked = request(url + path, { method, agent: false, headers: { ...length, ...headers } }, resolve);
        asked.on('error', reject);
        asked.end(body);
    });
}

export class RawStream extends Received {
    #gateway;
    #transport;
    #headers;
    #response;
    #resolveClosed;
    /** The requests, one after the other. */
    #sending = Promise.resolve();

    /** Statuses of the answers at /emulation, in order. */
    statuses = [];

    /** Prepares a stream, which the first commands open. It is closed after the test. */
    static async open(t, gateway, { transport, headers = {} }) {
        const raw = new RawStream();
        raw.#gateway = gateway;
        raw.#transport = transport;
        raw.#headers = headers;
        raw.closed = new Promise((resolve) => (raw.#resolveClosed = resolve));
        t.after(() => raw.terminate());
        return raw;
    }

    /** Opens a stream with the connect command. The reply is in `connection`. */
    static async connect(t, gateway, connect = {}, options = {}) {
        const raw = await RawStream.open(t, gateway, options);
        const reply = await raw.ask({ connect });
        if (reply.error) throw new Error(`connect was answered ${JSON.stringify(reply.error)}`);
        raw.connection = reply.connect;
        return raw;
    }

    /** Sends a text without changes, after all earlier ones. */
    text(text) {
        const send = () => (this.#response ? this.#post(text) : this.#begin(text));
        // Who waits for an answer learns that the stream has ended.
        this.#sending = this.#sending.then(send).catch(() => this.#resolveClosed(UNTOLD));
    }

    /** Resolves when all texts were answered. */
    sent() {
        return within(this.#sending, 'the answers at /emulation');
    }

    async #begin(text) {
        const response = await ask(this.#gateway.url, { ...OPENINGS[this.#transport](text), headers: this.#headers });
        this.#response = response;
        this.headers = response.headers;
        this.status = response.statusCode;
        const read = READERS[this.#transport]();
        let reason = UNTOLD;
        response.setEncoding('utf8').on('data', (text) => {
            const frames = read(text).map((line) => JSON.parse(line));
            reason = frames.find(({ push }) => push?.disconnect)?.push.disconnect ?? reason;
            this.take(...frames);
        });
        response.on('error', () => {});
        response.on('close', () => this.#resolveClosed(reason));
    }

    async #post(data) {
        const { session, node } = (await this.frame(({ connect }) => connect, 'the reply to connect')).connect;
        const body = JSON.stringify({ session, node, data });
        const answer = await ask(this.#gateway.url, { method: 'POST', path: '/emulation', type: 'application/json', headers: this.#headers, body });
        answer.resume();
        this.statuses.push(answer.statusCode);
    }

    /** Stops reading until `resume`. */
    pause() {
        this.#response.pause();
    }

    resume() {
        this.#response.resume();
    }

    close() {
        this.terminate();
    }

    terminate() {
        this.#response?.destroy();
    }

    /** Ends the connection with a reset. */
    reset() {
        this.#response.socket.resetAndDestroy();
    }
}

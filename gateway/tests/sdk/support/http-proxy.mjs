// An HTTP proxy in front of gateways, with the habits of proxies that cut WebSockets, hold streams back, or break them.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { Signal, within } from './wait.mjs';

/** Parts of a response reach the client as they come. */
export function passed(from, to) {
    from.pipe(to);
}

/** Nothing reaches the client before the response has ended, as behind a proxy that buffers it. */
export async function held(from, to) {
    const parts = [];
    for await (const part of from) parts.push(part);
    to.end(Buffer.concat(parts));
}

/** Each byte reaches the client by itself, so every character of several bytes is split. */
export async function inBytes(from, to) {
    for await (const part of from) {
        for (const byte of part) {
            to.write(Buffer.of(byte));
            await new Promise(setImmediate);
        }
    }
    to.end();
}

const inFull = ({ headers }) => 'content-length' in headers;

export class HttpProxy {
    #server;
    #sockets = new Set();
    #down = false;
    #signal = new Signal();
    #breaks = [];

    /** Requests that arrived, in order: `{ method, path, headers, status }`. An upgrade has no status. */
    requests = [];

    /** What becomes of upgrades: `passed`, `refused` with 403, or `unanswered`. */
    upgrades = 'passed';

    /** Chooses how the body of a stream reaches the client. Gets the response of the gateway. */
    bodies = () => passed;

    /** Starts a proxy. `route` chooses the gateway for each request, and may change. The proxy is closed after the test. */
    static async start(t, route) {
        const proxy = new HttpProxy();
        proxy.route = route;
        const server = (proxy.#server = createServer((near, answer) => proxy.#forward(near, answer)));
        server.on('upgrade', (near, socket, head) => proxy.#upgrade(near, socket, head));
        server.on('connection', (socket) => proxy.#accept(socket));
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => {
            proxy.cut();
            server.close();
        });
        proxy.origin = `http://127.0.0.1:${server.address().port}`;
        // The URL for the SDK, as that of a gateway.
        proxy.url = `${proxy.origin.replace('http', 'ws')}/connection/websocket`;
        return proxy;
    }

    /** Resets every connection of a client, and refuses new ones until `restore`. */
    cut() {
        this.#down = true;
        // Node never closes a socket that is reset after it was ended.
        for (const socket of this.#sockets) socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();
    }

    restore() {
        this.#down = false;
    }

    /**
     * Ends the next stream that contains this text, in the middle of it: with a reset, or as if its body were complete. Resolves when that has
     * happened.
     */
    breakIn(text, how) {
        return new Promise((resolve) => this.#breaks.push({ text, how, resolve }));
    }

    /** Waits until this many requests for paths that begin with `path` were answered. Resolves to them. */
    async answered(path, count) {
        const found = () => this.requests.filter((each) => each.path.startsWith(path) && each.status);
        const look = async () => {
            while (found().length < count) await this.#signal.notified();
        };
        await within(look(), () => `${count} requests for ${path}; there were ${JSON.stringify(this.requests)}`);
        return found();
    }

    #accept(socket) {
        if (this.#down) return socket.destroy();
        this.#sockets.add(socket);
        return socket.on('close', () => this.#sockets.delete(socket));
    }

    #note({ method, url, headers }) {
        const noted = { method, path: url, headers };
        this.requests.push(noted);
        return noted;
    }

    #forward(near, answer) {
        const noted = this.#note(near);
        const { hostname, port } = new URL(this.route(near).url);
        const far = request({ hostname, port, method: near.method, path: near.url, headers: near.headers, agent: false });
        far.on('response', (response) => {
            noted.status = response.statusCode;
            this.#signal.notify();
            this.#answer(response, answer);
        });
        // The gateway is away, or breaks off.
        far.on('error', () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()));
        answer.on('close', () => far.destroy());
        near.pipe(far);
    }

    #answer(response, answer) {
        response.on('error', () => answer.destroy());
        if (inFull(response) || response.statusCode !== 200) {
            answer.writeHead(response.statusCode, response.headers);
            return passed(response, answer);
        }
        // The body ends with the connection, as that of the gateway does.
        answer.useChunkedEncodingByDefault = false;
        answer.shouldKeepAlive = false;
        const how = this.bodies(response);
        answer.writeHead(response.statusCode, response.headers);
        if (how !== held) answer.flushHeaders();
        if (how === passed) this.#passUntilBreak(response, answer);
        else how(response, answer).catch(() => answer.destroy());
    }

    #passUntilBreak(response, answer) {
        let before = Buffer.alloc(0);
        response.on('data', (part) => {
            const seen = Buffer.concat([before, part]);
            const found = this.#breaks.find(({ text }) => seen.includes(text));
            if (!found) {
                before = seen.subarray(Math.max(0, seen.length - 100));
                return answer.write(part);
            }
            this.#breaks.splice(this.#breaks.indexOf(found), 1);
            const middle = seen.indexOf(found.text) + found.text.length / 2 - before.length;
            response.removeAllListeners('data').pause();
            answer.write(part.subarray(0, Math.max(0, middle)), () => {
                if (found.how === 'reset') answer.socket?.resetAndDestroy();
                else answer.end();
                found.resolve();
            });
        });
        response.on('end', () => answer.end());
    }

    #upgrade(near, socket, head) {
        this.#note(near);
        socket.on('error', () => {});
        if (this.upgrades === 'unanswered') return;
        if (this.upgrades === 'refused') return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        const { hostname, port } = new URL(this.route(near).url);
        const far = connect(Number(port), hostname);
        const lines = [`${near.method} ${near.url} HTTP/1.1`];
        for (let at = 0; at < near.rawHeaders.length; at += 2) lines.push(`${near.rawHeaders[at]}: ${near.rawHeaders[at + 1]}`);
        far.write(`${lines.join('\r\n')}\r\n\r\n`);
        far.write(head);
        for (const [one, other] of [[socket, far], [far, socket]]) {
            one.on('error', () => {}).on('close', () => other.destroy());
            one.pipe(other);
        }
    }
}

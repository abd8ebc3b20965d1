// A target of a webhook that a test controls.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { Signal, within } from './wait.mjs';

export class Target {
    /** Received requests, in order: `{ path, headers, text, body, closed }`. `closed` is when the gateway closed the connection before the answer. */
    requests = [];
    #signal = new Signal();

    /** Starts listening. `answer` gets each request and the response, which it may leave open. */
    static async start(t, answer) {
        const target = new Target();
        const server = createServer(async (incoming, response) => {
            const chunks = [];
            for await (const chunk of incoming) chunks.push(chunk);
            const text = Buffer.concat(chunks).toString();
            const request = { path: incoming.url, headers: incoming.headers, text, body: JSON.parse(text) };
            response.on('close', () => {
                if (!response.writableFinished) request.closed = performance.now();
                target.#signal.notify();
            });
            target.requests.push(request);
            target.#signal.notify();
            answer(request, response);
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => {
            server.close();
            server.closeAllConnections?.();
        });
        target.url = `http://127.0.0.1:${server.address().port}`;
        return target;
    }

    /** Waits until `enough` returns true for the list of requests. Resolves to the list. */
    async until(enough, what) {
        const look = async () => {
            while (!enough(this.requests)) await this.#signal.notified();
        };
        await within(look(), () => `${what}; received ${JSON.stringify(this.requests)}`);
        return this.requests;
    }
}

/** Answers with JSON. */
export function reply(response, data, status = 200, type = 'application/json') {
    response.writeHead(status, { 'content-type': type }).end(JSON.stringify(data));
}

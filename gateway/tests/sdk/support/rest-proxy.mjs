// A proxy between a backend and a gateway's REST interface. A test can delay or drop answers.

import { once } from 'node:events';
import { createServer } from 'node:http';

const FORWARDED_HEADERS = ['authorization', 'content-type', 'idempotency-key'];

export class RestProxy {
    #gateway;
    #pending = new Set();

    /** Ids of the notifications that the gateway has accepted, in order. */
    accepted = [];

    /** Is called with an accepted publication. Its answer is forwarded when the returned promise resolves. */
    beforeAnswer = async () => {};

    /** Starts a proxy for `gateway` that listens at `url`. It is closed after the test. */
    static async start(t, gateway) {
        const proxy = new RestProxy();
        proxy.#gateway = gateway;
        const server = createServer((request, response) => proxy.#forward(request, response));
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => {
            server.close();
            proxy.dropAnswers();
        });
        proxy.url = `http://127.0.0.1:${server.address().port}`;
        return proxy;
    }

    async #forward(request, response) {
        const drop = () => response.destroy();
        this.#pending.add(drop);
        try {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            const body = Buffer.concat(chunks).toString();
            const publication = body && JSON.parse(body);
            const headers = FORWARDED_HEADERS.filter((name) => request.headers[name]).map((name) => [name, request.headers[name]]);
            const answer = await fetch(this.#gateway.api + request.url, { method: request.method, headers, body: body || undefined });
            const text = await answer.text();
            if (publication && answer.ok) {
                this.accepted.push(publication.data.id);
                await this.beforeAnswer(publication);
            }
            response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') }).end(text);
        } catch {
            drop();
        } finally {
            this.#pending.delete(drop);
        }
    }

    /** Closes all connections whose requests have no answer yet. */
    dropAnswers() {
        for (const drop of this.#pending) drop();
        this.#pending.clear();
    }
}

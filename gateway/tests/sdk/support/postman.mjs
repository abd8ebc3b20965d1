// The way from a backend to a gateway's REST interface, where answers can be held back or lost.

import { once } from 'node:events';
import { createServer } from 'node:http';

const PASSED_ON = ['authorization', 'content-type', 'idempotency-key'];

export class Postman {
    #gateway;
    #lost = new Set();

    /** Ids of the notifications that the gateway has taken, in order. */
    taken = [];

    /** Decides when an answer goes on: gets the publication, resolves when it may. */
    release = async () => {};

    /** A way to a gateway at `url`, closed after the test. */
    static async start(t, gateway) {
        const postman = new Postman();
        postman.#gateway = gateway;
        const server = createServer((request, response) => postman.#carry(request, response));
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => {
            server.close();
            postman.lose();
        });
        postman.url = `http://127.0.0.1:${server.address().port}`;
        return postman;
    }

    async #carry(request, response) {
        const lose = () => response.destroy();
        this.#lost.add(lose);
        try {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            const body = Buffer.concat(chunks).toString();
            const publication = body && JSON.parse(body);
            const headers = PASSED_ON.filter((name) => request.headers[name]).map((name) => [name, request.headers[name]]);
            const answer = await fetch(this.#gateway.api + request.url, { method: request.method, headers, body: body || undefined });
            const text = await answer.text();
            if (publication && answer.ok) {
                this.taken.push(publication.data.id);
                await this.release(publication);
            }
            response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') }).end(text);
        } catch {
            lose();
        } finally {
            this.#lost.delete(lose);
        }
    }

    /** The gateway is gone: whoever still waits for an answer gets none. */
    lose() {
        for (const lose of this.#lost) lose();
        this.#lost.clear();
    }
}

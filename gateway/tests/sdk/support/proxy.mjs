// A TCP proxy between client and gateway. A test can cut its connections.

import { createServer, connect } from 'node:net';
import { once } from 'node:events';

export class Proxy {
    #sockets = new Set();
    /** The sockets to the gateway. */
    #far = new Set();
    #down = false;

    /** Starts a proxy for a gateway's public listener. It is closed after the test. */
    static async start(t, gateway) {
        const proxy = new Proxy();
        const { hostname, port } = new URL(gateway.url);
        const server = createServer((near) => proxy.#pass(near, () => connect(Number(port), hostname)));
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => {
            proxy.cut();
            server.close();
        });
        const origin = `ws://127.0.0.1:${server.address().port}`;
        Object.assign(proxy, { url: `${origin}/connection/websocket`, stomp: `${origin}/stomp` });
        return proxy;
    }

    #pass(near, open) {
        if (this.#down) return near.destroy();
        const far = open();
        this.#far.add(far);
        far.on('close', () => this.#far.delete(far));
        for (const [socket, other] of [[near, far], [far, near]]) {
            this.#sockets.add(socket);
            socket.setNoDelay(true);
            socket.on('error', () => {});
            socket.on('close', () => {
                this.#sockets.delete(socket);
                other.destroy();
            });
            socket.pipe(other);
        }
    }

    /** Resets every connection, and refuses new ones until `restore`. */
    cut() {
        this.#down = true;
        for (const socket of this.#sockets) socket.resetAndDestroy();
    }

    restore() {
        this.#down = false;
    }

    /** Drops what the gateway sends on the open connections from now on. */
    mute() {
        for (const far of this.#far) far.unpipe().resume();
    }
}

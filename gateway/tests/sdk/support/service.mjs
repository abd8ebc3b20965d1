// A service instance that does what a test wants, right or wrong, over a link (shared-proto/src/link.rs).

import WebSocket from 'ws';
import { Bell, within } from './wait.mjs';

export class Service {
    /** Frames that came, in order. */
    frames = [];
    #bell = new Bell();
    #socket;

    /** An instance that was welcomed. `answer` gets each call and returns the frame to send back, or nothing. */
    static async start(t, gateway, name, { credit = 64, events = [], answer = () => undefined } = {}) {
        const service = new Service();
        const url = `${gateway.api.replace('http', 'ws')}/v1/services/${name}/link`;
        const socket = new WebSocket(url, { headers: { authorization: `Bearer ${gateway.key}` } });
        service.#socket = socket;
        t.after(() => socket.terminate());
        socket.on('message', (data) => {
            const frame = JSON.parse(data.toString());
            const reply = frame.call && answer(frame.call);
            if (reply) socket.send(JSON.stringify(reply));
            service.frames.push(frame);
            service.#bell.ring();
        });
        await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'the link');
        socket.send(JSON.stringify({ hello: { service: name, instance: 'test-1', credit, events } }));
        await service.frame((frame) => frame.welcome, 'welcome');
        return service;
    }

    /** Sends a frame. */
    send(frame) {
        this.#socket.send(JSON.stringify(frame));
    }

    /** The lifecycle events of this kind, once `enough` is content with them. */
    async events(kind, enough) {
        const found = () => this.frames.flatMap(({ event }) => (event?.kind === kind ? [event] : []));
        const look = async () => {
            while (!enough(found())) await this.#bell.rung();
        };
        await within(look(), () => `${kind}; got ${JSON.stringify(found())}`);
        return found();
    }

    /** The first frame that `accept` is content with. */
    frame(accept, what) {
        const look = async () => {
            for (let at = 0; ; at += 1) {
                while (at >= this.frames.length) await this.#bell.rung();
                if (accept(this.frames[at])) return this.frames[at];
            }
        };
        return within(look(), what);
    }
}

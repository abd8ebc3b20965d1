// A service instance that a test controls. Its link (shared-proto/src/link.rs) also sends invalid frames.

import WebSocket from 'ws';
import { Signal, within } from './wait.mjs';

export class Service {
    /** Received frames, in order. */
    frames = [];
    #signal = new Signal();
    #socket;

    /**
     * Starts an instance and waits for the welcome. `answer` gets each call, and returns the frame to send back or `undefined`. `end` gets each
     * event from a queue, and returns the frame that ends it, or `undefined`.
     */
    static async start(t, gateway, name, { credit = 64, events = [], answer = () => undefined, end = () => undefined } = {}) {
        const service = new Service();
        const url = `${gateway.api.replace('http', 'ws')}/v1/services/${name}/link`;
        const socket = new WebSocket(url, { headers: { authorization: `Bearer ${gateway.key}` } });
        service.#socket = socket;
        t.after(() => socket.terminate());
        socket.on('message', (data) => {
            const frame = JSON.parse(data.toString());
            const reply = frame.call && answer(frame.call);
            if (reply) socket.send(JSON.stringify(reply));
            const ended = frame.event?.attempt && end(frame.event);
            if (ended) [ended, { credit: { n: 1 } }].forEach((sent) => socket.send(JSON.stringify(sent)));
            service.frames.push(frame);
            service.#signal.notify();
        });
        await within(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject)), 'the link');
        socket.send(JSON.stringify({ hello: { service: name, instance: 'test-1', credit, events } }));
        await service.frame((frame) => frame.welcome, 'welcome');
        return service;
    }

    /** Cuts the link. */
    kill() {
        this.#socket.terminate();
    }

    /** Sends a frame. */
    send(frame) {
        this.#socket.send(JSON.stringify(frame));
    }

    /** Waits until `enough` returns true for the list of received lifecycle events of this kind. Resolves to the list. */
    async events(kind, enough) {
        const found = () => this.frames.flatMap(({ event }) => (event?.kind === kind ? [event] : []));
        const look = async () => {
            while (!enough(found())) await this.#signal.notified();
        };
        await within(look(), () => `${kind}; got ${JSON.stringify(found())}`);
        return found();
    }

    /** The received events from a queue, in order. */
    get queued() {
        return this.frames.flatMap(({ event }) => (event?.attempt ? [event] : []));
    }

    /** Waits until `enough` returns true for the list of received events from a queue. Resolves to the list. */
    async queuedUntil(enough, what) {
        const look = async () => {
            while (!enough(this.queued)) await this.#signal.notified();
        };
        await within(look(), () => `${what}; got ${JSON.stringify(this.queued)}`);
        return this.queued;
    }

    /** Resolves to the first frame, received or future, for which `accept` returns true. */
    frame(accept, what) {
        const look = async () => {
            for (let at = 0; ; at += 1) {
                while (at >= this.frames.length) await this.#signal.notified();
                if (accept(this.frames[at])) return this.frames[at];
            }
        };
        return within(look(), what);
    }
}

// The service shout: answers calls over a link to each gateway node, and publishes over the same links.

import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import WebSocket from 'ws';

const URLS = (process.env.SWITCHBOARD_URLS ?? 'ws://127.0.0.1:8001').split(','); // one is enough: it names the other nodes
const HEADERS = { authorization: `Bearer ${process.env.SWITCHBOARD_API_KEY ?? 'dev'}` };
const PATH = '/v1/services/shout/link';
const INSTANCE = `shout-${randomUUID()}`;
const CREDIT = 16; // calls in flight, for each node
const MAX_STREAMS = 64;
const [HEARTBEAT, FORGET_AFTER, TIME_TO_STOP] = [15_000, 300_000, 10_000]; // milliseconds

/** The error of a call: a code from 400 to 999, or 104; a text; whether the same call may succeed later. */
class Failure extends Error {
    constructor(code, message, temporary = false) {
        super(message);
        Object.assign(this, { code, temporary });
    }
}

/** What the service does. `publish` waits until a node has stored the publication. */
class Shout {
    stopping = new AbortController();
    streams = new Set();

    constructor(publish) {
        this.publish = publish;
    }

    /** Answers a call. `signal` says when nobody waits for the answer any more. */
    async call(method, data, user, signal) {
        if (method !== 'say' && method !== 'stream') throw new Failure(104, 'the methods are say and stream');
        const { text, id: given } = data ?? {};
        const id = given ?? randomUUID();
        if (typeof text !== 'string' || text.length < 1 || text.length > 1000) throw new Failure(400, 'text must have 1 to 1000 characters');
        if (typeof id !== 'string' || !/^[A-Za-z0-9-]{1,64}$/.test(id)) throw new Failure(400, 'id must have 1 to 64 letters, digits and hyphens');
        return method === 'say' ? this.say(text.toUpperCase(), id, user, signal) : this.stream(text.toUpperCase());
    }

    async say(text, id, user, signal) {
        await this.publish('news:shouts', { id, from: user, text }, `say-${id}`, signal);
        return { text };
    }

    stream(text) {
        if (this.streams.size >= MAX_STREAMS) throw new Failure(429, 'too many streams', true);
        const channel = `stream:${randomUUID()}`;
        const written = this.write(channel, text).catch((error) => console.error(channel, 'is not complete:', error.message));
        this.streams.add(written);
        written.then(() => this.streams.delete(written));
        return { channel };
    }

    async write(channel, text) {
        const parts = text.match(/[^ ]* |[^ ]+$/g).map((word, seq) => ({ kind: 'part', seq, text: word }));
        for (const [number, entry] of [...parts, { kind: 'end', reason: 'done' }].entries()) {
            await this.publish(channel, entry, `${channel}-${number}`, AbortSignal.timeout(10_000));
            await pause(50, undefined, { signal: this.stopping.signal }).catch(() => {}); // no pause when the service stops
        }
    }
}

/** The WebSocket to one node. */
class Link {
    isOpen = false; // takes publications
    calls = new Map();
    publishes = new Map();
    #lastId = 0;
    #answers = new Set();
    #isAlive = true;

    constructor(socket, links) {
        Object.assign(this, { socket, links });
        socket.on('message', (text) => this.#read(text));
        socket.on('ping', () => (this.#isAlive = true));
        socket.on('pong', () => (this.#isAlive = true));
        const heartbeat = setInterval(() => this.#beat(), HEARTBEAT);
        socket.on('close', () => {
            clearInterval(heartbeat);
            this.isOpen = false;
            for (const call of this.calls.values()) call.abort();
            for (const answered of this.publishes.values()) answered(undefined);
        });
        socket.on('open', () => this.send({ hello: { service: 'shout', instance: INSTANCE, credit: CREDIT } }));
    }

    send(frame) {
        this.socket.send(JSON.stringify(frame), () => {}); // an error is followed by `close`
    }

    #beat() {
        if (!this.#isAlive) return this.socket.terminate();
        this.#isAlive = false;
        this.socket.ping();
    }

    #read(text) {
        this.#isAlive = true;
        try {
            for (const [kind, body] of Object.entries(JSON.parse(text))) this.#receive(kind, body);
        } catch (error) {
            console.error('a node sent an invalid frame:', error.message);
            this.socket.terminate();
        }
    }

    #receive(kind, body) {
        if (kind === 'welcome') { // comes again when nodes come or go
            this.isOpen = true;
            this.links.emit('open');
            this.links.add(body.peers);
        } else if (kind === 'call') {
            const answer = this.#answer(body);
            this.#answers.add(answer);
            answer.then(() => this.#answers.delete(answer));
        } else if (kind === 'cancel') {
            this.calls.get(body.id)?.abort();
        } else if (kind === 'event') {
            this.send({ credit: { n: 1 } });
        } else if (kind === 'ack' || kind === 'nack') {
            this.publishes.get(body.id)?.(body);
        } else if (kind === 'drain') { // the node stops: it takes no more publications
            this.isOpen = false;
        } else if (kind === 'error') {
            console.error('the node closes the link:', body.message);
        }
    }

    /** Answers a call and returns the credit. Nobody waits for the answer after `cancel` or the deadline. */
    async #answer({ id, method, data, user, deadline_ms }) {
        const over = new AbortController();
        const timer = setTimeout(() => over.abort(), deadline_ms);
        this.calls.set(id, over);
        let frame;
        try {
            frame = { reply: { id, data: await this.links.shout.call(method, data, user, over.signal) } };
        } catch (error) { // a mistake of ours ends one call, and not the service
            if (!(error instanceof Failure) && !over.signal.aborted) console.error('a call failed:', error);
            const { code, message, temporary } = error instanceof Failure ? error : new Failure(500, 'the service failed');
            frame = { error: { id, code, message, temporary } };
        }
        clearTimeout(timer);
        if (!over.signal.aborted) this.send(frame);
        this.send({ credit: { n: 1 } });
        this.calls.delete(id);
    }

    /** Resolves to the answer of the node, or to `undefined` if the link was lost before. */
    publish(body, signal) {
        const id = (this.#lastId += 1);
        return new Promise((resolve, reject) => {
            this.publishes.set(id, resolve);
            signal.addEventListener('abort', () => reject(signal.reason), { once: true });
            this.send({ publish: { id, ...body } });
        }).finally(() => this.publishes.delete(id));
    }

    /** Takes no more calls and finishes those that run. The answer to the ping comes after all calls that the node sent before. */
    async drain() {
        if (this.socket.readyState !== WebSocket.OPEN) return;
        this.send({ drain: {} });
        const answered = new Promise((resolve) => this.socket.on('pong', (data) => String(data) === 'drain' && resolve()).on('close', resolve));
        this.socket.ping('drain');
        await answered;
        while (this.#answers.size > 0) await Promise.all(this.#answers);
    }

    async close() {
        if (this.socket.readyState === WebSocket.CLOSED) return;
        const closed = once(this.socket, 'close');
        this.socket.close();
        await closed;
    }
}

/** A link to each node. */
class Links extends EventEmitter {
    shout = new Shout((...publication) => this.publish(...publication));
    #byNode = new Map();
    #addresses = new Set();

    add(urls, isNamed = true) {
        for (const url of urls) {
            if (this.#addresses.has(url)) continue;
            this.#addresses.add(url);
            this.#keep(url, isNamed).finally(() => this.#addresses.delete(url));
        }
    }

    /** Keeps a link to this address. One that a node named is forgotten when its node does not come back. */
    async #keep(url, isNamed) {
        let [longest, lastLinked] = [100, Date.now()];
        while (!this.shout.stopping.signal.aborted && !(isNamed && Date.now() - lastLinked > FORGET_AFTER)) {
            const began = Date.now();
            const { isKnown, wasOpen } = await this.#link(url);
            if (isKnown || wasOpen) lastLinked = Date.now();
            if (isKnown) longest = 30_000;
            await pause(longest * (0.5 + Math.random() / 2)); // at random, so that not all come back at once
            longest = Date.now() - began > 5000 ? 100 : Math.min(2 * longest, 5000);
        }
    }

    /** Opens a link and waits for its end. A second link to a node, through another address, would replace the first. */
    #link(url) {
        return new Promise((resolve) => {
            const state = { isKnown: false, wasOpen: false };
            const socket = new WebSocket(url, { headers: HEADERS, handshakeTimeout: 5000, maxPayload: 2 ** 20, perMessageDeflate: false });
            let node;
            socket.on('upgrade', ({ headers }) => {
                state.isKnown = this.#byNode.has(headers['switchboard-node']);
                if (state.isKnown) return socket.on('open', () => socket.close());
                node = headers['switchboard-node'];
                this.#byNode.set(node, new Link(socket, this));
                state.wasOpen = true;
            });
            socket.on('error', ({ message }) => console.error(url, message)); // also a refused upgrade: 401, 404, 503
            socket.on('close', () => {
                this.#byNode.delete(node);
                resolve(state);
            });
        });
    }

    /** Publishes over any link until a node has stored it; once, because every attempt has the same key. */
    async publish(channel, data, key, signal) {
        for (let longest = 50; ; longest = Math.min(2 * longest, 2000)) {
            signal.throwIfAborted();
            const links = [...this.#byNode.values()].filter(({ isOpen }) => isOpen);
            if (links.length === 0) {
                await once(this, 'open', { signal });
                continue;
            }
            const answer = await links[Math.floor(Math.random() * links.length)].publish({ channel, data, idempotency_key: key }, signal);
            if (answer && !answer.error) return;
            if (answer?.error.code === 'idempotency_mismatch') throw new Failure(409, 'the id belongs to another text');
            if (answer && !answer.error.retryable) throw new Failure(500, answer.error.message);
            await pause(longest * (0.5 + Math.random() / 2), undefined, { signal });
        }
    }

    /** Takes no more calls, finishes those that run and the streams, and closes the links. */
    async stop() {
        this.shout.stopping.abort();
        const links = [...this.#byNode.values()];
        await Promise.all(links.map((link) => link.drain()));
        await Promise.all(this.shout.streams);
        await Promise.all(links.map((link) => link.close()));
    }
}

const links = new Links().setMaxListeners(0);
links.add(URLS.map((url) => url + PATH), false);
await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
await Promise.race([links.stop(), pause(TIME_TO_STOP)]);
process.exit(0);

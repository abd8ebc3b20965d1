// Frontends with the STOMP libraries of JavaScript. Each does what a test tells it, as the programs of the folder `clients` do.
//
// Commands: `connect` { headers, heartbeat }, `subscribe` { destination, headers, resume }, `send` { destination, body or base64, headers,
// receipt } and `disconnect`. Events: `connected` { headers }, `message` { headers, text, base64 }, `refused` { headers, text } for an ERROR,
// and `closed`. A frontend connects again when its connection ends, and subscribes again when it is connected, as pages do.

import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { RxStomp } from '@stomp/rx-stomp';
import { Client } from '@stomp/stompjs';
import SockJS from 'sockjs-client';
import Stomp from 'stompjs';
import stompjs5 from 'stompjs-5';
import stompjs6 from 'stompjs-6';
import webstomp from 'webstomp-client';
import WebSocket from 'ws';
import { ClientProgram } from './client-program.mjs';

// The libraries expect the WebSocket of a browser. Newer versions of Node have one of their own.
globalThis.WebSocket = WebSocket;

const RECONNECT_MS = 100;

class Frontend extends EventEmitter {
    #wanted = [];

    constructor(broker, library) {
        super();
        Object.assign(this, { url: broker.stomp, library, isConnected: false });
    }

    /** Carries out a command. */
    async do(command, parameters = {}) {
        return this[command](parameters);
    }

    subscribe({ destination, headers, resume }) {
        const subscription = { destination, headers, resume, position: '' };
        this.#wanted.push(subscription);
        if (this.isConnected) this.#attach(subscription);
    }

    #attach(subscription) {
        const headers = { ...subscription.headers };
        if (subscription.resume) headers['x-position'] = subscription.position;
        this.attach(subscription.destination, headers, (message) => {
            subscription.position = message.headers['x-position'] ?? subscription.position;
            this.emit('message', message);
        });
    }

    opened({ headers }) {
        this.isConnected = true;
        this.emit('connected', { headers: { ...headers } });
        for (const subscription of this.#wanted) this.#attach(subscription);
    }

    ended() {
        this.isConnected = false;
        this.emit('closed', {});
    }
}

const refusal = ({ headers, body }) => ({ headers: { ...headers }, text: body });

/** A frontend with @stomp/stompjs, which connects again by itself. */
class Modern extends Frontend {
    #client;

    connect({ headers, heartbeat: [heartbeatOutgoing, heartbeatIncoming] }) {
        this.#client = new this.library({
            brokerURL: this.url,
            ...this.transport?.(),
            connectHeaders: headers,
            reconnectDelay: RECONNECT_MS,
            heartbeatOutgoing,
            heartbeatIncoming,
            onConnect: (frame) => this.opened(frame),
            onStompError: (frame) => this.emit('refused', refusal(frame)),
            onDisconnect: () => this.emit('disconnected'),
            onWebSocketClose: () => this.ended(),
        });
        this.#client.activate();
    }

    attach(destination, headers, receive) {
        this.#client.subscribe(destination, (message) => receive(received(message)), headers);
    }

    send({ destination, body, base64, headers = {}, receipt }) {
        const content = base64 === undefined ? { body } : { binaryBody: Uint8Array.from(Buffer.from(base64, 'base64')) };
        if (!receipt) return this.#client.publish({ destination, ...content, headers });
        const id = randomUUID();
        const received = new Promise((resolve) => this.#client.watchForReceipt(id, resolve));
        this.#client.publish({ destination, ...content, headers: { ...headers, receipt: id } });
        return received.then(() => undefined);
    }

    /** Resolves after the receipt of the DISCONNECT and the end of the WebSocket. */
    async disconnect() {
        const ends = Promise.all([once(this, 'disconnected'), once(this, 'closed')]);
        this.#client.deactivate();
        await ends;
    }

    stop() {
        this.#client?.deactivate();
    }
}

const received = ({ headers, body, binaryBody }) => ({ headers: { ...headers }, text: body, base64: Buffer.from(binaryBody).toString('base64') });

/** The same over SockJS. */
class ModernOverSockJs extends Modern {
    transport() {
        return { brokerURL: undefined, webSocketFactory: () => new SockJS(this.url.replace('ws', 'http')) };
    }
}

/** A frontend with @stomp/rx-stomp, which connects and subscribes again by itself. */
class Reactive extends Frontend {
    #stomp = new RxStomp();

    connect({ headers, heartbeat: [heartbeatOutgoing, heartbeatIncoming] }) {
        this.#stomp.configure({ brokerURL: this.url, connectHeaders: headers, heartbeatOutgoing, heartbeatIncoming, reconnectDelay: RECONNECT_MS });
        this.#stomp.serverHeaders$.subscribe((headers) => this.emit('connected', { headers }));
        this.#stomp.stompErrors$.subscribe((frame) => this.emit('refused', refusal(frame)));
        this.#stomp.webSocketErrors$.subscribe(() => {});
        this.#stomp.connectionState$.subscribe((state) => state === 3 && this.emit('closed', {}));
        this.#stomp.activate();
    }

    subscribe({ destination, headers, resume }) {
        let position = '';
        const subHeaders = () => ({ ...headers, ...(resume ? { 'x-position': position } : {}) });
        this.#stomp.watch({ destination, subHeaders }).subscribe((message) => {
            position = message.headers['x-position'] ?? position;
            this.emit('message', received(message));
        });
    }

    send({ destination, body, base64, headers = {}, receipt }) {
        const content = base64 === undefined ? { body } : { binaryBody: Uint8Array.from(Buffer.from(base64, 'base64')) };
        const id = randomUUID();
        this.#stomp.publish({ destination, ...content, headers: receipt ? { ...headers, receipt: id } : headers });
        return receipt && this.#stomp.asyncReceipt(id).then(() => undefined);
    }

    disconnect() {
        return this.#stomp.deactivate();
    }

    stop() {
        return this.#stomp.deactivate();
    }
}

/** A frontend with a library that the page itself connects again. */
class Old extends Frontend {
    #client;
    #receipts = new Map();
    #isStopped = false;

    connect(options) {
        const [outgoing, incoming] = options.heartbeat;
        const client = this.open();
        Object.assign(client, { debug: () => {}, heartbeat: { outgoing, incoming }, onreceipt: ({ headers }) => this.#receipts.get(headers['receipt-id'])?.() });
        const failed = (event) => {
            if (event.command === 'ERROR') return this.emit('refused', refusal(event));
            this.ended();
            setTimeout(() => this.#isStopped || this.connect(options), RECONNECT_MS);
        };
        client.connect({ ...options.headers }, (frame) => this.opened(frame), failed);
        this.#client = client;
    }

    attach(destination, headers, receive) {
        this.#client.subscribe(destination, ({ headers, body }) => receive({ headers: { ...headers }, text: body }), headers);
    }

    send({ destination, body, headers = {}, receipt }) {
        const id = randomUUID();
        this.deliver(this.#client, destination, body, receipt ? { ...headers, receipt: id } : { ...headers });
        return receipt && new Promise((resolve) => this.#receipts.set(id, resolve));
    }

    /** These libraries send a DISCONNECT without a receipt and close the WebSocket at once. */
    disconnect() {
        this.#isStopped = true;
        return new Promise((resolve) => this.#client.disconnect(resolve));
    }

    stop() {
        this.#isStopped = true;
        if (this.isConnected) this.#client.disconnect(() => {});
        else if (this.#client) Object.assign(this.#client.ws, { onclose: null, onerror: () => {} }).close();
    }
}

/** stompjs 2.3.3, which most tutorials of Spring use. */
class Oldest extends Old {
    open() {
        const client = Stomp.over(new WebSocket(this.url, ['v10.stomp', 'v11.stomp']));
        client.ws.onerror = () => {};
        return client;
    }

    deliver(client, destination, body, headers) {
        client.send(destination, headers, body);
    }
}

class OldestOverSockJs extends Oldest {
    open() {
        return Stomp.over(new SockJS(this.url.replace('ws', 'http')));
    }
}

class Webstomp extends Old {
    open() {
        const client = webstomp.client(this.url, { debug: false });
        client.ws.onerror = () => {};
        return client;
    }

    deliver(client, destination, body, headers) {
        client.send(destination, body, headers);
    }
}

const inNode = (Build, library) => (t, broker) => {
    const frontend = new Build(broker, library);
    t.after(() => frontend.stop());
    return frontend;
};

const program = (language, form) => (t, broker) => ClientProgram.start(t, language, form, { websocket: broker.stomp });

/** The libraries: the language, how a frontend is started, and the groups of cases that the library cannot pass, anywhere or at Spring's broker. */
export const LIBRARIES = {
    '@stomp/stompjs 7': { language: 'JavaScript', start: inNode(Modern, Client) },
    '@stomp/stompjs 6': { language: 'JavaScript', start: inNode(Modern, stompjs6.Client) },
    '@stomp/stompjs 5': { language: 'JavaScript', start: inNode(Modern, stompjs5.Client) },
    '@stomp/rx-stomp': { language: 'JavaScript', start: inNode(Reactive) },
    // Spring's broker chooses STOMP 1.0 for it. Then it sends no heart-beats, and the broker expects some.
    'webstomp-client': { language: 'JavaScript', start: inNode(Webstomp), lacks: ['bytes'], lacksAtSpring: ['heart-beats'] },
    'stompjs 2.3.3': { language: 'JavaScript', start: inNode(Oldest), lacks: ['bytes'] },
    '@stomp/stompjs 7 over SockJS': { language: 'JavaScript', start: inNode(ModernOverSockJs, Client), lacks: ['bytes'] },
    'stompjs 2.3.3 over SockJS': { language: 'JavaScript', start: inNode(OldestOverSockJs), lacks: ['bytes'] },
    'stomp.py': { language: 'Python', start: program('stomp.py', 'text'), lacks: ['bytes'] },
    'stomp.py with binary_mode': { language: 'Python', start: program('stomp.py', 'binary') },
    "Spring's WebSocketStompClient": { language: 'Java', start: program('Spring', 'text') },
};

// The time limit of a message, `connection.message_timeout`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ownGateway } from './support/gateway.mjs';
import { Signal, within } from './support/wait.mjs';

const SETTINGS = `
tokens.anonymous = true
connection.message_timeout = "500ms"
`;

/** A connection over which the test sends raw bytes. */
class Bytes {
    #signal = new Signal();
    #received = Buffer.alloc(0);

    static async open(t, gateway) {
        const [bytes, { hostname, port }] = [new Bytes(), new URL(gateway.url)];
        const socket = (bytes.socket = connect(Number(port), hostname).setNoDelay(true));
        t.after(() => socket.destroy());
        await once(socket, 'connect');
        socket.on('error', () => {});
        socket.on('data', (data) => {
            bytes.#received = Buffer.concat([bytes.#received, data]);
            bytes.#signal.notify();
        });
        socket.write(
            'GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        );
        socket.write(message('{"id":1,"connect":{}}'));
        await bytes.until('"connect":{');
        return bytes;
    }

    /** Waits until these bytes have arrived. */
    async until(wanted) {
        const look = async () => {
            while (!this.#received.includes(wanted)) await this.#signal.notified();
        };
        await within(look(), () => `${wanted}; received ${this.#received.toString('latin1').slice(-200)}`);
    }

    has(wanted) {
        return this.#received.includes(wanted);
    }
}

/** Encodes a text message of a client, masked with zeros. */
function message(text) {
    const head = Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 0xff, 0, 0, 0, 0]);
    return text.length < 126 ? Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]) : Buffer.concat([head, Buffer.from(text)]);
}

const ping = (id) => message(`{"id":${id},"ping":{}${' '.repeat(3000)}}`);
const cut = (buffer) => [buffer.subarray(0, 1000), buffer.subarray(1000)];
const LATE = Buffer.concat([Buffer.from([0x03, 0xf0]), Buffer.from('message not complete in time')]);

test('any number of messages is accepted if each is complete in time', async (t) => {
    const bytes = await Bytes.open(t, await ownGateway(t, SETTINGS));
    let rest = Buffer.alloc(0);
    // Each write ends within a message, so a message is always incomplete at the end of a turn.
    for (let id = 2; id <= 40; id += 1) {
        const [first, second] = cut(ping(id));
        bytes.socket.write(Buffer.concat([rest, first]));
        rest = second;
        await pause(40);
    }
    bytes.socket.write(rest);
    await bytes.until('{"id":40,"ping":{}}');
    assert.ok(!bytes.has(LATE));
});

test('an incomplete message ends the connection, even if pings arrive within it', async (t) => {
    const bytes = await Bytes.open(t, await ownGateway(t, SETTINGS));
    const [first] = cut(ping(2));
    // The first fragment of a message, then control frames.
    bytes.socket.write(Buffer.concat([Buffer.from([0x01, 0x81, 0, 0, 0, 0]), Buffer.from('{')]));
    const pings = setInterval(() => bytes.socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0])), 50);
    t.after(() => clearInterval(pings));
    await bytes.until(LATE);
    const other = await Bytes.open(t, await ownGateway(t, SETTINGS));
    other.socket.write(first);
    await other.until(LATE);
});

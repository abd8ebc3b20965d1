// Sizes and forms of the messages that a service instance sends over its link.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { ownGateway } from './support/gateway.mjs';
import { Service } from './support/service.mjs';
import { Signal, within } from './support/wait.mjs';

const SETTINGS = 'link.message_size = "128KiB"\n[services.odd]\n';

/** Opens a link over which the test sends raw bytes. */
async function openLink(t, gateway) {
    const headers = {
        authorization: `Bearer ${gateway.key}`,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const sent = request(`${gateway.api}/v1/services/odd/link`, { headers });
    const signal = new Signal();
    const bytes = { received: Buffer.alloc(0) };
    const upgraded = new Promise((resolve, reject) => {
        sent.on('error', reject).on('upgrade', (_, socket, head) => {
            t.after(() => socket.destroy());
            bytes.socket = socket;
            const receive = (data) => {
                bytes.received = Buffer.concat([bytes.received, data]);
                signal.notify();
            };
            receive(head);
            socket.on('error', () => {}).on('data', receive);
            resolve(bytes);
        });
    });
    sent.end();
    bytes.until = (wanted) => {
        const look = async () => {
            while (!bytes.received.includes(wanted)) await signal.notified();
        };
        return within(look(), () => `${wanted}; received ${bytes.received.toString('latin1')}`);
    };
    return within(upgraded, 'the link');
}

/** Returns the header of a masked text frame with a payload of `bytes` bytes. */
function header(bytes) {
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(bytes), 2);
    return head;
}

test('a message that is too large is refused at its header', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    for (const bytes of [128 * 1024 + 1, 2 ** 40]) {
        const it = await openLink(t, own);
        it.socket.write(header(bytes));
        await it.until('payload_too_large');
        await it.until(Buffer.from([0x03, 0xf1]));
    }
});

test('a message of the largest size is accepted, in one frame or in several', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    const hello = JSON.stringify({ hello: { service: 'odd', instance: 'one', credit: 1 } }).padEnd(128 * 1024);
    const whole = await openLink(t, own);
    whole.socket.write(Buffer.concat([header(hello.length), Buffer.from(hello)]));
    await whole.until('"welcome"');
    const several = await openLink(t, own);
    const parts = [hello.slice(0, 65_536), hello.slice(65_536)].map((part) => Buffer.concat([header(part.length), Buffer.from(part)]));
    parts[0][0] = 0x01;
    parts[1][0] = 0x80;
    several.socket.write(Buffer.concat([parts[0], Buffer.from([0x89, 0x81, 0, 0, 0, 0]), Buffer.from('?'), parts[1]]));
    await several.until('"welcome"');
    assert.ok(several.received.includes(Buffer.from([0x8a, 0x01, 0x3f])), 'the ping between the frames is answered');
});

test('an invalid message closes the link with a reason', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    const masked = (first, text) => Buffer.concat([Buffer.from([first, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    for (const [frame, why] of [
        [masked(0x82, '{}'), 'binary'],
        [Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 'RFC 6455'],
        [masked(0x81, 'x'), 'malformed'],
    ]) {
        const it = await openLink(t, own);
        it.socket.write(frame);
        await it.until(why);
    }
    const service = await Service.start(t, own, 'odd');
    assert.ok(service.frames[0].welcome);
});

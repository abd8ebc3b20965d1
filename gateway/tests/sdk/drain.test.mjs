// The drain of a node.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { ownGateway } from './support/gateway.mjs';
import { Service } from './support/service.mjs';
import { over } from './support/transports.mjs';

const { Raw, test } = over(import.meta.url);

const WINDOW = 2000;
const SETTINGS = 'tokens.anonymous = true\n[services.slow]\n';
const DRAIN = { 'drain.window': `${WINDOW}ms`, 'drain.deadline': '10s' };
const SHUTDOWN = { code: 3001, reason: 'shutdown' };

const several = (count, make) => Promise.all(Array.from({ length: count }, make));

test('calls in flight are answered before their connections are closed', async (t) => {
    const own = await ownGateway(t, SETTINGS, DRAIN);
    const service = await Service.start(t, own, 'slow');
    const raws = await several(20, () => Raw.connect(t, own));
    const calls = raws.map((raw) => raw.send({ rpc: { method: 'slow.ask', data: null } })[0]);
    await several(20, (_, index) => service.frame((frame) => frame.call?.id === index + 1, `call ${index + 1}`));
    own.drain();
    await service.frame((frame) => frame.drain, 'the drain');
    // At this time the close of half of the connections is due.
    await pause(WINDOW / 2);
    for (let id = 1; id <= 20; id += 1) service.send({ reply: { id, data: 'done' } });
    for (const [index, raw] of raws.entries()) {
        assert.equal((await raw.reply(calls[index])).rpc.data, 'done');
        assert.deepEqual(await raw.end(), SHUTDOWN);
    }
    assert.ok(!service.frames.some((frame) => frame.cancel));
});

test('a call without an answer keeps its connection open until the window ends', async (t) => {
    const own = await ownGateway(t, SETTINGS, DRAIN);
    const service = await Service.start(t, own, 'slow');
    const raw = await Raw.connect(t, own);
    raw.send({ rpc: { method: 'slow.ask', data: null } });
    await service.frame((frame) => frame.call, 'the call');
    const begun = performance.now();
    own.drain();
    assert.deepEqual(await raw.end(), SHUTDOWN);
    assert.ok(performance.now() - begun >= WINDOW);
    await service.frame((frame) => frame.cancel?.id === 1, 'cancel');
});

test('closes are spread over the whole window, even for few connections', async (t) => {
    const own = await ownGateway(t, SETTINGS, DRAIN);
    const raws = await several(40, () => Raw.connect(t, own));
    const begun = performance.now();
    own.drain();
    const ends = await Promise.all(raws.map((raw) => raw.end().then(() => performance.now() - begun)));
    ends.sort((a, b) => a - b);
    const parts = [0, 1, 2, 3].map((part) => ends.filter((end) => end >= (part * WINDOW) / 4 && (part === 3 || end < ((part + 1) * WINDOW) / 4)).length);
    assert.ok(parts.every((closed) => closed >= 5), `closes of 40 connections in each quarter of the window: ${parts}`);
});

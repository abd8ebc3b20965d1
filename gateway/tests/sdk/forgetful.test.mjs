// The gateway is killed again and again, and its broker's memory with it: every notification arrives all the same.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { signedIn, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Postman } from './support/postman.mjs';
import { backend } from './support/program.mjs';
import { eventually, EventRecorder } from './support/wait.mjs';
import '../../../web/tests/unit/page.mjs';
import { Notifications } from '../../../web/js/notifications.js';

const ROUNDS = 4;

async function notifierOf(t, postman) {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
    t.after(() => rm(folder, { recursive: true }));
    const impatient = { DELIVERY__BACKOFF_FIRST_MS: 5, DELIVERY__BACKOFF_LONGEST_MS: 50, DELIVERY__BREAKER_PAUSE_MS: 20 };
    const { url } = await backend(t, 'notifier-backend', postman.url, { ...impatient, OUTBOX__PATH: join(folder, 'outbox.sqlite') });
    const list = async (state) => (await (await fetch(`${url}/v1/notifications?state=${state}&limit=100`)).json()).notifications;
    const post = async (user, title) => {
        const body = JSON.stringify({ user, title });
        const answer = await fetch(`${url}/v1/notifications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
        assert.equal(answer.status, 202);
        return (await answer.json()).id;
    };
    return { list, post };
}

test('notifications outlive a gateway that is killed at bad moments, and a repeat has the same id', async (t) => {
    const gateway = await ownGateway(t);
    const postman = await Postman.start(t, gateway);
    const { list, post } = await notifierOf(t, postman);
    const user = unique('alice-');
    const client = await signedIn(t, gateway, user);
    const page = new Notifications(client, user);
    const events = { on: (name, listener) => page.addEventListener(name, listener) };
    const shown = new EventRecorder(events, 'arrived', ({ detail }) => detail.items.map(({ id }) => id));
    const has = (id) => shown.until((all) => all.flat().includes(id), `notification ${id}`);

    // Every delivery that the notifier knows of has arrived. A kill can only lose what it does not know yet.
    const confirmed = ({ data }) => has(data.id);
    postman.release = confirmed;
    const again = async () => {
        await gateway.kill();
        postman.lose();
        postman.release = confirmed;
        await gateway.restart();
    };

    const settled = () => eventually(async () => (await list('pending')).length === 0, 'nothing to be pending');

    const accepted = [];
    const send = async (title) => accepted.push(await post(user, title));
    for (let round = 0; round < ROUNDS; round += 1) {
        // Before the delivery: there is nobody to deliver to.
        await gateway.kill();
        for (const n of [1, 2, 3]) await send(`${round} away ${n}`);
        await gateway.restart();
        await settled();

        // Between the delivery and the notifier's book: the notifier never learns that the gateway had it.
        postman.release = () => new Promise(() => {});
        for (const n of [1, 2, 3]) await send(`${round} unheard ${n}`);
        await has(accepted.at(-3));
        await again();
        await settled();

        // In the middle of things.
        for (const n of [1, 2, 3]) await send(`${round} busy ${n}`);
        await again();
        await settled();
    }

    // The last gateway had nothing of what its predecessors had: all of it is delivered again.
    const delivered = await eventually(async () => {
        const all = (await list('delivered')).map(({ id }) => id).reverse();
        return all.length === accepted.length && all;
    }, 'everything to be delivered');
    assert.deepEqual(delivered, accepted);
    assert.deepEqual(await list('failed'), []);
    assert.deepEqual(shown.all.flat(), accepted, 'the page shows each once, in order');
    assert.deepEqual(new Set(postman.taken), new Set(accepted));
    const repeats = postman.taken.length - accepted.length;
    assert.ok(repeats >= ROUNDS, `gateways that forgot took ${repeats} again: at least one in each round proves something`);
});

// A gateway with the memory broker is killed repeatedly. Every notification arrives nevertheless.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { signedIn, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { backend } from './support/program.mjs';
import { RestProxy } from './support/rest-proxy.mjs';
import { eventually, EventRecorder } from './support/wait.mjs';
import '../../../web/tests/unit/page.mjs';
import { Notifications } from '../../../web/js/notifications/notifications.js';

const ROUNDS = 4;

/** Starts a notifier behind the proxy. Returns functions that list and post notifications. */
async function startNotifier(t, proxy) {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
    t.after(() => rm(folder, { recursive: true }));
    const shortPauses = { DELIVERY__BACKOFF_FIRST_MS: 5, DELIVERY__BACKOFF_LONGEST_MS: 50, DELIVERY__BREAKER_PAUSE_MS: 20 };
    const { url } = await backend(t, 'notifier-backend', proxy.url, { ...shortPauses, OUTBOX__PATH: join(folder, 'outbox.sqlite') });
    const list = async (state) => (await (await fetch(`${url}/v1/notifications?state=${state}&limit=100`)).json()).notifications;
    const post = async (user, title) => {
        const body = JSON.stringify({ user, title });
        const answer = await fetch(`${url}/v1/notifications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
        assert.equal(answer.status, 202);
        return (await answer.json()).id;
    };
    return { list, post };
}

test('notifications survive kills of the gateway, and a repeated delivery has the same id', async (t) => {
    const gateway = await ownGateway(t);
    const proxy = await RestProxy.start(t, gateway);
    const { list, post } = await startNotifier(t, proxy);
    const user = unique('alice-');
    const client = await signedIn(t, gateway, user);
    const page = new Notifications(client, user);
    const events = { on: (name, listener) => page.addEventListener(name, listener) };
    const shown = new EventRecorder(events, 'arrived', ({ detail }) => detail.items.map(({ id }) => id));
    const has = (id) => shown.until((all) => all.flat().includes(id), `notification ${id}`);

    // The notifier learns of a delivery only after the page has it. So a kill loses only deliveries that the notifier repeats.
    const waitForPage = ({ data }) => has(data.id);
    proxy.beforeAnswer = waitForPage;
    const killAndRestart = async () => {
        await gateway.kill();
        proxy.dropAnswers();
        proxy.beforeAnswer = waitForPage;
        await gateway.restart();
    };

    const waitUntilNonePending = () => eventually(async () => (await list('pending')).length === 0, 'no notification to be pending');

    const accepted = [];
    const send = async (title) => accepted.push(await post(user, title));
    for (let round = 0; round < ROUNDS; round += 1) {
        // A kill before the delivery.
        await gateway.kill();
        for (const n of [1, 2, 3]) await send(`${round} before ${n}`);
        await gateway.restart();
        await waitUntilNonePending();

        // A kill between the delivery and its record in the outbox: the notifier gets no answer.
        // Earlier notifications are answered: the notifier may just have noticed that their history is lost, and delivers them first.
        const isUnanswered = ({ data }) => data.title.startsWith(`${round} unanswered`);
        proxy.beforeAnswer = (publication) => (isUnanswered(publication) ? new Promise(() => {}) : waitForPage(publication));
        for (const n of [1, 2, 3]) await send(`${round} unanswered ${n}`);
        await has(accepted.at(-3));
        await killAndRestart();
        await waitUntilNonePending();

        // A kill at any moment of the deliveries.
        for (const n of [1, 2, 3]) await send(`${round} during ${n}`);
        await killAndRestart();
        await waitUntilNonePending();
    }

    // The last gateway does not have the publications of the earlier ones, so the notifier delivers all of them again.
    const delivered = await eventually(async () => {
        const all = (await list('delivered')).map(({ id }) => id).reverse();
        return all.length === accepted.length && all;
    }, 'all notifications to be delivered');
    assert.deepEqual(delivered, accepted);
    assert.deepEqual(await list('failed'), []);
    assert.deepEqual(shown.all.flat(), accepted, 'the page shows each notification once and in order');
    assert.deepEqual(new Set(proxy.accepted), new Set(accepted));
    const repeats = proxy.accepted.length - accepted.length;
    assert.ok(repeats >= ROUNDS, `${repeats} repeated deliveries; without at least one per round, the test proves nothing`);
});

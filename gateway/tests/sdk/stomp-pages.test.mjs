// React pages as a Spring developer writes them, in Chromium: only the URL of the broker differs. BROKERS names the brokers (gateway).

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Shop, launch, serve } from './support/pages.mjs';
import { Spring } from './support/spring.mjs';
import { stompGateway } from './support/stomp-gateway.mjs';
import { token } from './support/token.mjs';

const brokers = (process.env.BROKERS ?? 'gateway').split(' ');
const START = { gateway: () => stompGateway(), spring: () => Spring.start() };

const browser = await launch({ after });
const origin = await serve({ after });

/** The pages, and the URL that each needs. */
const PAGES = {
    'brokerurl.html': ({ stomp }) => stomp,
    'sockjs.html': ({ stomp }) => stomp.replace('ws', 'http'),
};

/** What every broker must show: ann's page and bob's, after what `act` does. */
const EXPECTED = {
    ann: ['/topic/chat {"text":"hello ünï"}', '/topic/chat {"text":"hi"}', '/user/queue/shop/price {"item":"tea","price":42}'],
    bob: ['/topic/chat {"text":"hello ünï"}', '/topic/chat {"text":"hi"}', '/user/queue/notes {"title":"a note"}'],
};

const open = (page, broker, user) => Shop.open(browser, `${origin}/${page}`, { broker: PAGES[page](broker), token: token({ sub: user }) });

async function act(ann, bob, broker) {
    await ann.say('hello ünï');
    await Promise.all([ann.shown(1), bob.shown(1)]);
    await bob.say('hi');
    await Promise.all([ann.shown(2), bob.shown(2)]);
    await broker.ask('POST', '/v1/users/bob/messages', { queue: 'notes', data: { title: 'a note' } });
    await ann.askForPrice();
}

// All start before the first test begins: what `after` stops would not outlive the tests that are known by then.
const started = await Promise.all(brokers.map((kind) => START[kind]()));
for (const [index, kind] of brokers.entries()) {
    const broker = started[index];
    for (const page of Object.keys(PAGES)) {
        test(`${page} at ${kind}`, async () => {
            const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => open(page, broker, user)));
            await act(ann, bob, broker);
            assert.deepEqual({ ann: await ann.shown(3), bob: await bob.shown(3) }, EXPECTED);
            assert.deepEqual([ann.problems, bob.problems], [[], []]);
            await Promise.all([ann, bob].map(({ tab }) => tab.close()));
        });
    }
}

if (brokers.includes('gateway')) {
    for (const page of Object.keys(PAGES)) {
        test(`${page} goes on after its gateway was killed`, async (t) => {
            const gateway = await stompGateway(t);
            const ann = await open(page, gateway, 'ann');
            await gateway.kill();
            await ann.connected(false);
            await gateway.restart();
            await ann.connected();
            await ann.say('again');
            assert.deepEqual(await ann.shown(1), ['/topic/chat {"text":"again"}']);
        });
    }
}

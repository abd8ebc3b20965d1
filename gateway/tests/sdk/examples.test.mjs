// The same cases with every program of docs/examples, each beside two gateways. EXAMPLES names the programs; the default is those that need no other language than this project.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedIn, unique } from './support/client.mjs';
import { EXAMPLES, Running } from './support/example.mjs';
import { Raw } from './support/raw.mjs';
import { RawStomp } from './support/stomp-raw.mjs';
import { EventRecorder, eventually } from './support/wait.mjs';

const names = (process.env.EXAMPLES ?? 'node rust').split(' ');

/** Data that no method of the example accepts. */
const BAD_DATA = [null, true, 7, 'hi', [], ['hi'], {}, { text: null }, { text: 7 }, { text: ['hi'] }, { text: '' }, { text: 'x'.repeat(1001) }, { text: 'hi', id: {} }, { text: 'hi', id: 'a b' }];

/** JSON that is valid but that some libraries cannot read: deep, a number of many digits, a number beyond a double. */
const HARD_DATA = [`${'['.repeat(60)}${']'.repeat(60)}`, `{"text":${'1'.repeat(5000)}}`, '{"text":1e999}'];
/** Half a character. Some libraries read it, others do not. */
const HALF = String.raw`{"text":"\ud800"}`;

/** A frontend of each node. A call that fails is sent again through the other node, with the same data. */
class Frontends {
    /** The errors of all calls. */
    errors = [];

    static async start(t, nodes) {
        const frontends = new Frontends();
        frontends.all = await Promise.all(nodes.map((node) => signedIn(t, node, 'ann', {}, { timeout: 1000 })));
        return frontends;
    }

    /** Calls until the call is answered, first through the node `at`. Resolves to the data of the answer. */
    call(method, data, at = 0) {
        let turn = at;
        const attempt = async () => {
            try {
                return await this.all[turn % this.all.length].rpc(`shout.${method}`, data);
            } catch (error) {
                this.errors.push(error);
                turn += 1;
                return undefined;
            }
        };
        return eventually(attempt, () => `an answer; the last error is ${JSON.stringify(this.errors.at(-1))}`).then((answer) => answer.data);
    }
}

/** The texts that the example has published, in order. */
async function published(node) {
    const { publications } = await node.ask('GET', '/v1/channels/news:shouts/publications?limit=1000');
    return publications.map(({ data }) => data);
}

/** Reads a stream as a frontend does. Resolves to its entries, of which the last is the end. */
function entriesOf(client, channel) {
    const subscription = client.newSubscription(channel, { since: { epoch: '', offset: 0 } });
    const recorder = new EventRecorder(subscription, 'publication', ({ data }) => data);
    subscription.subscribe();
    return recorder.until((all) => all.at(-1)?.kind === 'end', 'the end of the stream');
}

/** Checks that the entries of a stream are the whole text, once and in order. */
function assertComplete(entries, text) {
    const parts = entries.slice(0, -1);
    assert.deepEqual(entries.at(-1), { kind: 'end', reason: 'done' });
    assert.deepEqual(parts.map(({ kind, seq }) => [kind, seq]), parts.map((_, seq) => ['part', seq]));
    assert.equal(parts.map(({ text }) => text).join(''), text);
}

const words = (count) => Array.from({ length: count }, (_, n) => `word${n}`).join(' ');

const CASES = {
    async 'answers calls from both nodes, and publishes each text once'(running, t) {
        const frontends = await Frontends.start(t, running.nodes);
        const id = unique('call-');
        for (const at of [0, 1, 1]) assert.deepEqual(await frontends.call('say', { text: 'hällo, ünïcode', id }, at), { text: 'HÄLLO, ÜNÏCODE' });
        assert.deepEqual(await published(running.nodes[0]), [{ id, from: 'ann', text: 'HÄLLO, ÜNÏCODE' }]);
        await assert.rejects(frontends.all[0].rpc('shout.say', { text: 'another text', id }), { code: 409, temporary: false });
        for (const more of [{}, { id: null }]) await frontends.call('say', { text: 'without an id', ...more });
        assert.equal((await published(running.nodes[0])).length, 3);
        const { channel } = await frontends.call('stream', { text: 'one  two three' }, 1);
        assertComplete(await entriesOf(frontends.all[0], channel), 'ONE  TWO THREE');
        assert.deepEqual(frontends.errors, []);
    },

    async 'answers a page with STOMP, and publishes for it'(running, t) {
        const page = await RawStomp.connect(t, running.nodes[0]);
        for (const destination of ['/user/queue/shout/say', '/topic/news:shouts']) await page.subscribe(destination);
        page.send('SEND', { destination: '/app/shout/say' }, '{"text":"hello"}');
        const [reply] = await page.messages('/user/queue/shout/say', 1);
        assert.deepEqual(JSON.parse(reply.body), { text: 'HELLO' });
        const [message] = await page.messages('/topic/news:shouts', 1);
        const { from, text } = JSON.parse(message.body);
        assert.deepEqual([from, text], ['ann', 'HELLO']);
        page.send('SEND', { destination: '/app/shout/say' }, '{}');
        assert.equal((await page.error()).headers.code, '400');
    },

    async 'answers a bad call with an error, and lives on'(running, t) {
        for (const node of running.nodes) {
            const frontend = await signedIn(t, node, 'ann');
            for (const method of ['say', 'stream']) {
                for (const bad of BAD_DATA) {
                    await assert.rejects(frontend.rpc(`shout.${method}`, bad), { code: 400, temporary: false }, `${method} ${JSON.stringify(bad)}`);
                }
            }
            for (const method of ['SAY', 'say.it', '../say', '__proto__', 'constructor', 'x'.repeat(100)]) {
                await assert.rejects(frontend.rpc(`shout.${method}`, { text: 'hi' }), { code: 104 }, `the method ${method}`);
            }
            await frontend.send({ service: 'shout', data: { an: 'event' } });
            const raw = await Raw.connect(t, node);
            for (const [index, data] of [...HARD_DATA, HALF].entries()) {
                raw.text(`{"id":${100 + index},"rpc":{"method":"shout.say","data":${data}}}`);
                const { rpc, error } = await raw.reply(100 + index);
                const isAnswered = error?.code === 400 || (data === HALF && rpc);
                assert.ok(isAnswered, `${data.slice(0, 40)} is answered ${JSON.stringify(error)}`);
            }
            assert.deepEqual((await frontend.rpc('shout.say', { text: 'still here' })).data, { text: 'STILL HERE' });
        }
        assert.ok(!running.program.hasEnded);
    },

    async 'loses and doubles nothing while a node is killed and comes back'(running, t) {
        const [one, two] = running.nodes;
        const frontends = await Frontends.start(t, running.nodes);
        const text = words(60);
        const { channel } = await frontends.call('stream', { text });
        const stream = entriesOf(frontends.all[0], channel);
        const ids = Array.from({ length: 200 }, (_, n) => `call-${n}`);
        const waiting = ids.entries();
        const callAll = async (until, nodeOf) => {
            for (const [n, id] of waiting) {
                assert.deepEqual(await frontends.call('say', { text: id, id }, nodeOf(n)), { text: id.toUpperCase() });
                if (n >= until) return;
            }
        };
        const callers = (until, nodeOf = (n) => n) => Promise.all(Array.from({ length: 8 }, () => callAll(until, nodeOf)));
        await callers(40);

        // The frozen node gets publications that it never stores.
        two.freeze();
        const unstored = callers(60, () => 0);
        await running.busyAt(one, 3);
        const ofDead = callers(70, () => 1);
        await two.kill();
        await Promise.all([unstored, ofDead]);
        await two.restart();
        await running.reachedFrom(two);

        // Redis gets publications that it stores, but the node that sent them is dead before it can acknowledge them.
        const errors = frontends.errors.length;
        running.redis.freeze();
        const unacknowledged = callers(120);
        await eventually(() => frontends.errors.length >= errors + 8, 'calls to be repeated');
        await two.kill();
        running.redis.thaw();
        await unacknowledged;
        await two.restart();
        await Promise.all([callers(Infinity), stream]);
        assert.ok(frontends.errors.length > 0, 'the kill interrupts calls');
        for (const { code, message } of frontends.errors) assert.ok(code > 0 && message, `a clear error: ${code} ${message}`);
        assertComplete(await stream, text.toUpperCase());

        await running.reachedFrom(two);
        const [, again] = (await Frontends.start(t, running.nodes)).all;
        assert.deepEqual((await again.rpc('shout.say', { text: 'after', id: 'after' })).data, { text: 'AFTER' });
        const all = (await published(one)).map(({ id }) => id);
        assert.deepEqual(all.sort(), [...ids, 'after'].sort(), 'each text is published once');
        const held = await one.ask('GET', `/v1/channels/${channel}/publications?limit=1000`);
        assert.equal(held.publications.length, 61, 'the stream has nothing twice and nothing after its end');
        if (running.isLinked) assert.ok(one.log.match(/"link opened"/g).length <= 2, 'two links to one node do not replace each other');
    },

    async 'finishes calls and streams on SIGTERM, and exits with 0'(running, t) {
        const [one] = running.nodes;
        const frontend = await signedIn(t, one, 'ann');
        const text = words(100);
        const { channel } = (await frontend.rpc('shout.stream', { text })).data;
        // Nothing can be published, so the call is in flight until Redis is back.
        running.redis.freeze();
        const answer = frontend.rpc('shout.say', { text: 'the last one' });
        await running.busyAt(one);
        running.program.signal('SIGTERM');
        await running.draining();
        running.redis.thaw();
        assert.deepEqual((await answer).data, { text: 'THE LAST ONE' });
        assertComplete(await entriesOf(frontend, channel), text.toUpperCase());
        assert.equal(await running.program.end(), 0, 'the exit code');
        await assert.rejects(frontend.rpc('shout.say', { text: 'too late' }), ({ code }) => code >= 1000);
    },
};

const LINK_CASES = {
    async 'returns the credit of calls that nobody waits for'(running, t) {
        const [one] = running.nodes;
        const [leaving, patient] = (await Frontends.start(t, [one, one])).all;
        const { credit } = await running.instance(one);
        const isIdle = async () => {
            const now = await running.instance(one);
            return now.credit === credit && now.in_flight === 0;
        };
        running.redis.freeze();
        t.after(() => running.redis.thaw());
        const abandoned = leaving.rpc('shout.say', { text: 'cancelled' }).catch((error) => error);
        await running.busyAt(one);
        leaving.disconnect();
        await eventually(isIdle, 'the credit of the cancelled call');
        await abandoned;
        await assert.rejects(patient.rpc('shout.say', { text: 'too slow' }));
        await eventually(isIdle, 'the credit of the call whose time is over');
        running.redis.thaw();
        assert.deepEqual((await patient.rpc('shout.say', { text: 'back' })).data, { text: 'BACK' });
    },
};

const WEBHOOK_CASES = {
    async 'takes only what the gateway has signed'(running) {
        for (const headers of [{}, { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AAAA' }, { 'webhook-timestamp': 'ü' }]) {
            for (const body of ['', '{', '{"call":{"method":"say","data":{"text":"hi"},"user":"eve","id":"a"}}']) {
                const { status } = await fetch(running.url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
                assert.equal(status, 401, body);
            }
        }
        assert.deepEqual(await published(running.nodes[0]), []);
    },
};

const cases = names.flatMap((name) => {
    const more = EXAMPLES[name] === 'link' ? LINK_CASES : WEBHOOK_CASES;
    return Object.entries({ ...CASES, ...more }).map(([title, run]) => ({ name, title, run }));
});

test(`examples: ${names}`, { concurrency: 2 }, async (t) => {
    const running = cases.map(({ name, title, run }) => t.test(`${name}: ${title}`, async (t) => run(await Running.start(t, name), t)));
    await Promise.all(running);
});

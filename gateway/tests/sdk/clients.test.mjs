// The same cases with the SDK of every language and in every form of the protocol. CLIENTS names the languages; the default is JavaScript.
// The cases run at the same time, because one of them sleeps for 50 seconds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { unique } from './support/client.mjs';
import { ClientProgram, PROGRAMS } from './support/client-program.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { inSeconds, token } from './support/token.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

/** How long a client sleeps: longer than the gateway waits for it, which is `ping_interval` and `pong_timeout`. */
const SLEEP_MS = 50_000;

const gateway = await stack();
const languages = (process.env.CLIENTS ?? 'JavaScript').split(' ');

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Starts a client and connects it as `user`. */
async function connected(start, user, to = gateway) {
    const client = start(to);
    const answered = next(client, 'connected');
    await client.do('connect', { token: token({ sub: user }) });
    client.id = (await answered).client;
    return client;
}

/** Subscribes a client. Its publications are recorded in `got` from then on. */
async function subscribed(client, channel) {
    const got = new EventRecorder(client, 'publication');
    const answered = next(client, 'subscribed');
    await client.do('subscribe', { channel });
    await answered;
    return got;
}

const CASES = {
    async 'recovers everything after 50 seconds of sleep, once and in order'(start) {
        const channel = unique('recover:');
        const client = await connected(start, 'ann');
        const got = await subscribed(client, channel);
        await gateway.publish(channel, 1);
        await got.count(1);

        client.sleep();
        for (const number of range(2, 51)) {
            await gateway.publish(channel, number);
            await pause(SLEEP_MS / 50);
        }
        if (client.answersPings) {
            assert.equal((await gateway.rest('GET', `/v1/connections/${client.id}`)).status, 410, 'the gateway has closed the connection');
            const [down, again] = [next(client, 'connecting'), next(client, 'subscribed')];
            client.wake();
            await down;
            assert.deepEqual(await again, { wasRecovering: true, recovered: true });
        } else client.wake();
        await gateway.publish(channel, 52);
        const all = await got.count(52);
        assert.deepEqual(all, range(1, 52).map((number) => ({ data: number, offset: number })));
    },

    async 'connects as the user of its token'(start) {
        const alice = unique('alice-');
        const client = await connected(start, alice);
        assert.equal((await gateway.ask('GET', `/v1/connections/${client.id}`)).user, alice);
    },

    async 'refreshes its token each time before it expires, without another connection'(start, t) {
        const own = await ownGateway(t, 'tokens.leeway = "0s"\nconnection.expiry_grace = "4s"\n[namespaces.open]\nsubscribe = "anyone"\npublish = "subscriber"\n');
        const client = start(own);
        const connections = new EventRecorder(client, 'connected');
        const asked = new EventRecorder(client, 'token');
        const lives = [3, 600];
        client.on('token', () => client.do('token', { token: token({ sub: 'ann', exp: inSeconds(lives.shift()) }) }));
        await client.do('connect', { token: token({ sub: 'ann', exp: inSeconds(3) }) });
        // The gateway accepts each token, or the connection would end 4 s after the expiry; SDKs repeat a refused refresh after 5 s.
        await asked.count(2);
        const got = await subscribed(client, 'open:a');
        await client.do('publish', { channel: 'open:a', data: 'still there' });
        assert.equal((await got.count(1))[0].data, 'still there');
        assert.equal(connections.all.length, 1);
    },

    async 'publishes, and a subscriber gets all of it once and in order'(start) {
        const channel = unique('recover:');
        const [publisher, subscriber] = await Promise.all([connected(start, 'ann'), connected(start, 'bob')]);
        const got = await subscribed(subscriber, channel);
        await subscribed(publisher, channel);
        const published = [{ text: 'ünï "x"\n' }, [1, 2.5, null], 'text', true];
        for (const data of published) await publisher.do('publish', { channel, data });
        assert.deepEqual(await got.count(4), published.map((data, index) => ({ data, offset: index + 1 })));
    },

    async 'gets the error of a publish that is not allowed'(start) {
        const channel = unique('chat:');
        const client = await connected(start, 'ann');
        await subscribed(client, channel);
        await assert.rejects(client.do('publish', { channel, data: {} }), { code: 103 });
    },

    async 'reads the history'(start) {
        const channel = unique('recover:');
        await gateway.publish(channel, { n: 1 }, 'two', 3);
        const client = await connected(start, 'ann');
        await subscribed(client, channel);
        const entries = [{ data: { n: 1 }, offset: 1 }, { data: 'two', offset: 2 }, { data: 3, offset: 3 }];
        assert.deepEqual(await client.do('history', { channel }), entries);
    },

    async 'reads the presence, and gets joins and leaves'(start) {
        const channel = unique('chat:');
        const [ann, bob] = [unique('ann-'), unique('bob-')];
        const client = await connected(start, ann);
        const [joins, leaves] = ['join', 'leave'].map((event) => new EventRecorder(client, event, ({ user }) => user));
        await subscribed(client, channel);
        const other = await connected(start, bob);
        await subscribed(other, channel);
        await joins.until((all) => all.includes(bob));
        assert.deepEqual((await client.do('presence', { channel })).sort(), [ann, bob]);
        await other.stop();
        assert.deepEqual(await leaves.count(1), [bob]);
        assert.deepEqual(await client.do('presence', { channel }), [ann]);
    },

    async 'calls a service, and gets its reply or its error'(start) {
        const channel = unique('chat:');
        const client = await connected(start, 'ann');
        const got = await subscribed(client, channel);
        const { message } = await client.do('rpc', { method: 'chatbot.say', data: { channel, text: 'ünï' } });
        const [{ data }] = await got.count(1);
        assert.deepEqual([data.id, data.from, data.text], [message, 'ann', 'ünï']);
        await assert.rejects(client.do('rpc', { method: 'chatbot.nothing', data: {} }), { code: 104 });
    },

    async 'recovers everything after its gateway was killed, once and in order'(start, t) {
        const redis = await OwnRedis.start(t);
        const namespace = '[namespaces.news]\nhistory_size = 10000\nsubscribe = "anyone"\n';
        const [one, two] = await Promise.all(['one', 'two'].map((name) => ownGateway(t, redisSettings(redis.url, name) + namespace)));
        for (const node of [one, two]) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
        const channel = unique('news:');
        const client = await connected(start, 'ann', one);
        const got = await subscribed(client, channel);
        await one.publish(channel, ...range(1, 5));
        await got.count(5);

        const [down, again] = [next(client, 'connecting'), next(client, 'subscribed')];
        await one.kill();
        await two.publish(channel, ...range(6, 305));
        await down;
        await one.restart();
        assert.deepEqual(await again, { wasRecovering: true, recovered: true });
        await two.publish(channel, ...range(306, 310));
        const all = await got.count(310);
        assert.deepEqual(all, range(1, 310).map((number) => ({ data: number, offset: number })));
    },
};

const forms = languages.flatMap((language) => PROGRAMS[language].forms.map((form) => [language, form]));
const cases = Object.entries(CASES).flatMap(([name, run]) => forms.map(([language, form]) => ({ language, form, name, run })));

// The first cases sleep, one for each form. Two others run beside them.
test(`clients: ${languages}`, { concurrency: forms.length + 2 }, async (t) => {
    const running = cases.map(({ language, form, name, run }) =>
        t.test(`${language}, ${form}: ${name}`, (t) => run((to) => ClientProgram.start(t, language, form, to), t)),
    );
    await Promise.all(running);
});

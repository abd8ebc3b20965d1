// Events that reach a service through its queue: from frontends with the SDK and with STOMP, to services without a library.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { client, connected, signedIn } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { RawStomp } from './support/stomp-raw.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { Service } from './support/service.mjs';
import { Target, reply } from './support/target.mjs';
import { eventually, next } from './support/wait.mjs';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const QUEUE = '/v1/services/work/queue';

const settings = (service = '', methods = 'reply = false', longestPause = '200ms') => `
[tokens]
anonymous = true
[services.work]
events = "queue"
order = "/room"
tries = 3
retry_min = "50ms"
retry_max = "${longestPause}"
${service}
[services.work.methods.put]
${methods}
`;

const done = ({ id }) => ({ done: { id } });
const failed = ({ id }, more) => ({ failed: { id, ...more } });
/** A service that processes each event. */
const willing = { end: done };
const numbers = (events) => events.map(({ data }) => data.n);
const range = (from, to) => Array.from({ length: to - from }, (_, at) => from + at);

/** Waits until the queue is empty. Resolves to its state. */
const emptied = (gateway) =>
    eventually(async () => {
        const queue = await gateway.ask('GET', QUEUE);
        return queue.depth === 0 && queue;
    }, 'the queue to be empty');

const deadLetters = async (gateway) => (await gateway.ask('GET', `${QUEUE}/dead`)).dead_letters;
const awaitDeadLetters = (gateway, count) => eventually(async () => (await deadLetters(gateway)).length === count && deadLetters(gateway), `${count} dead letters`);

for (const transport of ['websocket', 'http_stream', 'sse']) {
    test(`calls without a reply and messages reach the service in order over ${transport}`, async (t) => {
        const gateway = await ownGateway(t, settings());
        const service = await Service.start(t, gateway, 'work', willing);
        const it = await signedIn(t, gateway, 'ann', {}, { transport });
        const answers = [];
        for (const n of range(0, 20)) {
            const data = { room: 'a', n };
            const answer = n % 2 ? it.send({ service: 'work', data }) : it.rpc('work.put', data);
            answers.push(answer);
            // A fallback sends each command as a request of its own, and a message has no answer: only what has arrived is before the next one.
            if (transport !== 'websocket') await service.queuedUntil((all) => all.length > n, `event ${n}`);
        }
        const accepted = (await Promise.all(answers)).map((answer) => answer?.data.accepted);
        const events = await service.queuedUntil((all) => all.length >= 20, '20 events');
        assert.deepEqual(numbers(events), range(0, 20));
        events.forEach((event, n) => {
            assert.match(event.id, /^msg_[0-9a-f]{32}$/);
            if (n % 2 === 0) assert.equal(accepted[n], event.id);
            const { kind, method, attempt, key, user, connection } = event;
            const expected = n % 2 ? ['message', undefined] : ['call', 'put'];
            assert.deepEqual([kind, method, attempt, key, user, connection], [...expected, 1, 'a', 'ann', it.context.client]);
        });
        assert.equal(new Set(events.map(({ id }) => id)).size, 20);
        assert.equal(new Set(events.map(({ partition }) => partition)).size, 1);
        const queue = await emptied(gateway);
        assert.deepEqual([queue.dead_letters, queue.partitions.length, queue.paused], [0, 4, false]);
    });
}

test('without a key in its data, a call is refused and nothing is stored', async (t) => {
    const gateway = await ownGateway(t, settings());
    const it = await connected(t, gateway);
    await assert.rejects(it.rpc('work.put', { n: 1 }), { code: 107 });
    assert.equal((await gateway.ask('GET', QUEUE)).depth, 0);
});

test('calls with a reply and events of a queue share a link', async (t) => {
    const gateway = await ownGateway(t, settings());
    const answer = ({ id, data }) => ({ reply: { id, data: { asked: data.n } } });
    const service = await Service.start(t, gateway, 'work', { ...willing, answer });
    const it = await connected(t, gateway);
    const results = await Promise.all(range(0, 10).map((n) => it.rpc(n % 2 ? 'work.ask' : 'work.put', { room: 'a', n })));
    results.forEach(({ data }, n) => (n % 2 ? assert.deepEqual(data, { asked: n }) : assert.match(data.accepted, /^msg_/)));
    assert.deepEqual(numbers(await service.queuedUntil((all) => all.length >= 5, '5 events')), [0, 2, 4, 6, 8]);
});

test('an event that fails is tried again while its key waits and others go on; then it is a dead letter, and replayed it arrives', async (t) => {
    const gateway = await ownGateway(t, settings());
    let isCured = false;
    const end = (event) => (event.data.bad && !isCured ? failed(event, { temporary: true }) : done(event));
    const service = await Service.start(t, gateway, 'work', { end });
    const it = await connected(t, gateway);
    const { accepted } = (await it.rpc('work.put', { room: 'a', n: 0, bad: true })).data;
    for (const n of range(1, 4)) await it.rpc('work.put', { room: 'a', n });
    for (const n of range(10, 20)) await it.rpc('work.put', { room: `b${n}`, n });
    const [letter] = await awaitDeadLetters(gateway, 1);
    const { id, reason, tries, event } = letter;
    assert.deepEqual([reason, tries, event.id, event.data], ['tries', 3, accepted, { room: 'a', n: 0, bad: true }]);
    const events = await service.queuedUntil((all) => all.length >= 3 + 3 + 10, 'all events');
    const ofKey = events.filter(({ key }) => key === 'a');
    assert.deepEqual(ofKey.map(({ data, attempt }) => [data.n, attempt]), [[0, 1], [0, 2], [0, 3], [1, 1], [2, 1], [3, 1]]);
    assert.deepEqual(numbers(events.filter(({ key }) => key !== 'a')).sort(), range(10, 20));
    assert.ok(events.slice(0, 13).every(({ data }) => data.n !== 1), 'the other keys did not wait');
    assert.deepEqual(await gateway.ask('GET', `${QUEUE}/dead/${id}`), letter);
    isCured = true;
    assert.ok((await gateway.rest('POST', `${QUEUE}/dead/${id}/replay`)).status < 300);
    const again = (await service.queuedUntil((all) => all.length >= 17, 'the replayed event')).at(-1);
    assert.deepEqual([again.id, again.key, again.data.n, again.attempt], [accepted, 'a', 0, 1]);
    assert.equal((await emptied(gateway)).dead_letters, 0);
    assert.equal((await gateway.rest('POST', `${QUEUE}/dead/${id}/replay`)).status, 404);
});

test('a failure for good is a dead letter at once, and the pause that the service asks for is kept', async (t) => {
    const gateway = await ownGateway(t, settings('', 'reply = false', '1s'));
    const times = [];
    const end = (event) => {
        if (event.data.n === 0) return failed(event, { temporary: false });
        times.push(performance.now());
        return event.attempt === 1 ? failed(event, { temporary: true, retry_after_ms: 700 }) : done(event);
    };
    const service = await Service.start(t, gateway, 'work', { end });
    const it = await connected(t, gateway);
    for (const n of range(0, 2)) await it.rpc('work.put', { room: 'a', n });
    const events = await service.queuedUntil((all) => all.length >= 3, '3 deliveries');
    assert.deepEqual(events.map(({ data, attempt }) => [data.n, attempt]), [[0, 1], [1, 1], [1, 2]]);
    assert.ok(times[1] - times[0] >= 690, `the pause was ${times[1] - times[0]} ms`);
    const [letter] = await awaitDeadLetters(gateway, 1);
    assert.deepEqual([letter.reason, letter.tries, letter.event.data.n], ['refused', 1, 0]);
    assert.ok((await gateway.rest('DELETE', `${QUEUE}/dead/${letter.id}`)).status < 300);
    assert.deepEqual(await deadLetters(gateway), []);
});

test('a service that is away for a while gets everything in order, without a try that counts', async (t) => {
    const gateway = await ownGateway(t, settings());
    const it = await connected(t, gateway);
    for (const n of range(0, 30)) await it.rpc('work.put', { room: `r${n % 3}`, n });
    const queue = await gateway.ask('GET', QUEUE);
    assert.deepEqual([queue.depth, queue.dead_letters], [30, 0]);
    const service = await Service.start(t, gateway, 'work', willing);
    const events = await service.queuedUntil((all) => all.length >= 30, '30 events');
    assert.ok(events.every(({ attempt }) => attempt === 1));
    for (const room of range(0, 3)) {
        assert.deepEqual(numbers(events.filter(({ key }) => key === `r${room}`)), range(0, 30).filter((n) => n % 3 === room));
    }
    await emptied(gateway);
});

test('what a lost instance had in hand goes to another instance, with the same id and the next attempt', async (t) => {
    const gateway = await ownGateway(t, settings());
    const idle = await Service.start(t, gateway, 'work');
    const it = await connected(t, gateway);
    for (const n of range(0, 5)) await it.rpc('work.put', { room: 'a', n });
    const [first] = await idle.queuedUntil((all) => all.length >= 1, 'an event');
    idle.kill();
    const service = await Service.start(t, gateway, 'work', willing);
    const events = await service.queuedUntil((all) => all.length >= 5, '5 events');
    assert.deepEqual(events.map(({ data, attempt }) => [data.n, attempt]), [[0, 2], [1, 1], [2, 1], [3, 1], [4, 1]]);
    assert.equal(events[0].id, first.id);
    assert.equal(idle.queued.length, 1, 'the others of its key waited');
    assert.equal((await emptied(gateway)).dead_letters, 0);
});

test('a service without credit gets no more events, and credit acknowledges nothing', async (t) => {
    const gateway = await ownGateway(t, settings());
    // Half of the credit stays free for calls.
    const service = await Service.start(t, gateway, 'work', { credit: 4 });
    const it = await connected(t, gateway);
    for (const n of range(0, 6)) await it.rpc('work.put', { room: `r${n}`, n });
    await service.queuedUntil((all) => all.length === 2, '2 events');
    service.send({ credit: { n: 2 } });
    const events = await service.queuedUntil((all) => all.length === 4, '4 events');
    assert.equal((await gateway.ask('GET', QUEUE)).depth, 6);
    for (const event of events) service.send(done(event));
    await eventually(async () => (await gateway.ask('GET', QUEUE)).depth === 2, 'two that wait');
    service.send(done({ id: 'msg_unknown' }));
    service.send({ credit: { n: 2 } });
    for (const event of (await service.queuedUntil((all) => all.length === 6, '6 events')).slice(4)) service.send(done(event));
    await emptied(gateway);
});

test('a paused queue stores and delivers nothing until it is resumed; deletion needs the number', async (t) => {
    const gateway = await ownGateway(t, `${settings()}[queues]\nlease = "1s"\n`);
    const service = await Service.start(t, gateway, 'work', willing);
    const it = await connected(t, gateway);
    const depth = async () => (await gateway.ask('GET', QUEUE)).depth;
    assert.deepEqual((await gateway.ask('PATCH', QUEUE, { paused: true })).paused, true);
    // The owner learns of it within a third of its lease.
    let sent = 0;
    await eventually(async () => {
        await it.rpc('work.put', { room: 'a', n: (sent += 1) });
        await pause(100);
        return (await depth()) > 0;
    }, 'the pause');
    for (; (await depth()) < 4; sent += 1) await it.rpc('work.put', { room: 'a', n: sent + 1 });
    const refused = await gateway.rest('DELETE', `${QUEUE}/entries?count=3`);
    assert.deepEqual([refused.status, refused.body.code], [409, 'more_entries']);
    assert.deepEqual(await gateway.ask('DELETE', `${QUEUE}/entries?count=4`), { deleted: 4 });
    await it.rpc('work.put', { room: 'a', n: 0 });
    assert.equal(await depth(), 1);
    assert.deepEqual((await gateway.ask('PATCH', QUEUE, { paused: false })).paused, false);
    await emptied(gateway);
    assert.deepEqual(numbers(service.queued), [...range(1, sent - 3), 0]);
});

test('a queue takes events while gateways die and come back, and loses none', async (t) => {
    const redis = await OwnRedis.start(t);
    const more = settings() + redisSettings(redis.url, 'NAME') + '[queues]\nlease = "1s"\n';
    const nodes = await Promise.all(['one', 'two'].map((name) => ownGateway(t, more.replace('NAME', name))));
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    const [one, two] = nodes;
    const it = await signedIn(t, one, 'ann');
    for (const n of range(0, 50)) await it.rpc('work.put', { room: `r${n % 5}`, n });
    const seen = [];
    const service = await Service.start(t, two, 'work', { end: (event) => (seen.push(event), done(event)) });
    await service.queuedUntil((all) => all.length >= 1, 'an event');
    await two.kill();
    const behind = range(50, 100);
    for (const n of behind) await it.rpc('work.put', { room: `r${n % 5}`, n });
    await Service.start(t, one, 'work', { end: (event) => (seen.push(event), done(event)) });
    await eventually(() => new Set(numbers(seen)).size === 100, 'all events');
    for (const room of range(0, 5)) {
        const firsts = new Map(seen.filter(({ key }) => key === `r${room}`).map((event) => [event.id, event.data.n]));
        assert.deepEqual([...firsts.values()], range(0, 100).filter((n) => n % 5 === room), 'in order');
    }
    assert.equal(new Set(seen.map(({ id }) => id)).size, 100, 'repeats have the same id');
    assert.equal((await emptied(one)).dead_letters, 0);
});

test('a webhook acknowledges by its status', async (t) => {
    const statuses = { 0: [200], 1: [503, 204], 2: [400] };
    const target = await Target.start(t, ({ body }, response) => {
        const { data, attempt } = body.event;
        const status = statuses[data.n][attempt - 1];
        if (status === 400) reply(response, { code: 400, detail: 'no' }, status, 'application/problem+json');
        else response.writeHead(status, { 'retry-after': '0' }).end();
    });
    const gateway = await ownGateway(t, settings(`reach = "webhook"\nurls = ["${target.url}"]\nsecrets = ["${SECRET}"]`));
    const it = await signedIn(t, gateway, 'ann');
    const accepted = [];
    for (const n of range(0, 3)) accepted.push((await it.rpc('work.put', { room: 'a', n })).data.accepted);
    const requests = await target.until((all) => all.length >= 4, '4 requests');
    const verifier = new Webhook(SECRET);
    const seen = requests.map(({ text, headers, body }) => {
        assert.deepEqual(verifier.verify(text, headers), body);
        assert.equal(headers['webhook-id'], body.event.id);
        const { id, data, attempt, key, kind, method } = body.event;
        return [id, data.n, attempt, key, kind, method];
    });
    const call = ['a', 'call', 'put'];
    assert.deepEqual(seen, [[accepted[0], 0, 1, ...call], [accepted[1], 1, 1, ...call], [accepted[1], 1, 2, ...call], [accepted[2], 2, 1, ...call]]);
    const [letter] = await awaitDeadLetters(gateway, 1);
    assert.deepEqual([letter.reason, letter.event.data.n], ['refused', 2]);
    await emptied(gateway);
});

test('STOMP: SEND to an event and to a call without a reply', async (t) => {
    const destinations = `
[[stomp.destinations]]
prefix = "/app/"
to = "call"
[[stomp.destinations]]
prefix = "/user/queue/"
to = "user_queue"
[[stomp.destinations]]
prefix = "/events/"
to = "event"
[personal]
history_size = 10
history_ttl = "1m"
`;
    const gateway = await ownGateway(t, settings() + destinations);
    const service = await Service.start(t, gateway, 'work', willing);
    const page = await RawStomp.connect(t, gateway);
    await page.subscribe('/user/queue/work/put');
    await page.ask('SEND', { destination: '/app/work/put' }, '{"room":"a","n":0}');
    await page.ask('SEND', { destination: '/events/work' }, '{"room":"a","n":1}');
    const events = await service.queuedUntil((all) => all.length >= 2, '2 events');
    const shown = events.map(({ kind, method, data, attempt, key, user }) => [kind, method, data.n, attempt, key, user]);
    assert.deepEqual(shown, [['call', 'put', 0, 1, 'a', 'ann'], ['message', undefined, 1, 1, 'a', 'ann']]);
    const [reply] = await page.messages('/user/queue/work/put', 1);
    assert.deepEqual(JSON.parse(reply.body), { accepted: events[0].id });
});

test('a full queue refuses a call with a temporary error, and takes the next one when there is room', async (t) => {
    const gateway = await ownGateway(t, `${settings('partitions = 1')}\n[queues]\nmax_length = 3\n`);
    const it = await connected(t, gateway);
    for (const n of range(0, 3)) await it.rpc('work.put', { room: 'a', n });
    await assert.rejects(it.rpc('work.put', { room: 'a', n: 3 }), { code: 1002, temporary: true });
    const service = await Service.start(t, gateway, 'work', willing);
    await emptied(gateway);
    await it.rpc('work.put', { room: 'a', n: 4 });
    assert.deepEqual(numbers(await service.queuedUntil((all) => all.length >= 4, '4 events')), [0, 1, 2, 4]);
});

test('a service that only a queue reaches gets no calls with a reply', async (t) => {
    const redis = await OwnRedis.start(t);
    const gateway = await ownGateway(t, `${redisSettings(redis.url, 'one')}[tokens]\nanonymous = true\n[services.work]\nreach = "queue"\norder = "none"\n`);
    await eventually(async () => (await gateway.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    const it = client(t, gateway);
    it.connect();
    await next(it, 'connected');
    for (const method of ['put', 'any']) assert.match((await it.rpc(`work.${method}`, { n: 1 })).data.accepted, /^msg_/);
    await it.send({ service: 'work', data: 'hello' });
    const depth = async () => (await gateway.ask('GET', QUEUE)).depth;
    await eventually(async () => (await depth()) === 3, 'three events');
    assert.ok((await gateway.ask('GET', QUEUE)).partitions.every(({ owner }) => owner === undefined));
});

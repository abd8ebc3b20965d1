// Services that are reached by HTTP requests, from the frontend to the service and back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { connected, signedIn } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { ROOT } from './support/program.mjs';
import { Raw } from './support/raw.mjs';
import { Target, reply } from './support/target.mjs';
import { eventually, next } from './support/wait.mjs';

const OLD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const NEW = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

const settings = (...urls) => `[tokens]
anonymous = true
[services.shop]
reach = "webhook"
secrets = ["${OLD}", "${NEW}"]
urls = ${JSON.stringify(urls)}
`;

test('the official library of Standard Webhooks accepts each signature, and only for what was signed', async (t) => {
    const target = await Target.start(t, ({ body }, response) => reply(response, { bought: body.call.data.item }));
    const gateway = await ownGateway(t, settings(`${target.url}/rpc/{method}`));
    const it = await signedIn(t, gateway, 'alice');
    assert.deepEqual((await it.rpc('shop.buy', { item: 'äpfel' })).data, { bought: 'äpfel' });
    const [{ path, headers, text, body }] = target.requests;
    assert.equal(path, '/rpc/buy');
    assert.deepEqual([body.call.user, body.call.connection, body.call.id], ['alice', it.context.client, headers['webhook-id']]);
    for (const secret of [OLD, NEW]) {
        const verifier = new Webhook(secret);
        assert.deepEqual(verifier.verify(text, headers), body);
        assert.throws(() => verifier.verify(`${text} `, headers));
        assert.throws(() => verifier.verify(text, { ...headers, 'webhook-id': 'msg_other' }));
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`);
    assert.throws(() => stranger.verify(text, headers));
});

test('errors of a webhook reach the frontend and leave its connection open', async (t) => {
    const target = await Target.start(t, ({ body }, response) => {
        const { method } = body.call;
        if (method === 'own') reply(response, { code: 601, detail: 'sold out', retryable: true }, 409, 'application/problem+json');
        if (method === 'busy') response.writeHead(503, { 'retry-after': '7' }).end();
        if (method === 'html') reply(response, '<p>', 200, 'text/html');
        if (method === 'gone') response.destroy();
        if (method === 'large') reply(response, 'x'.repeat(70_000));
    });
    const gateway = await ownGateway(t, settings(target.url));
    const it = await connected(t, gateway);
    await assert.rejects(it.rpc('shop.own', {}), { code: 601, message: 'sold out', temporary: true });
    await assert.rejects(it.rpc('shop.busy', {}), { code: 1002, message: /shop is busy \(status 503\)\. Try again in 7 s\./, temporary: true });
    await assert.rejects(it.rpc('shop.html', {}), { code: 1004, message: /text\/html/ });
    await assert.rejects(it.rpc('shop.gone', {}), { code: 1001, message: /may have carried the call out/ });
    await assert.rejects(it.rpc('shop.large', {}), { code: 1004, message: /more than 65536 bytes/ });
    assert.equal(target.requests.length, 5, 'none was sent again');
    assert.equal(it.state, 'connected');
});

test('when the frontend leaves, its request is closed within 100 ms', async (t) => {
    const target = await Target.start(t, () => {});
    const gateway = await ownGateway(t, settings(target.url));
    const it = await connected(t, gateway);
    it.rpc('shop.wait', {}).catch(() => {});
    const [request] = await target.until(({ length }) => length === 1, 'the call');
    const { services } = await gateway.ask('GET', '/v1/services');
    assert.deepEqual(services[0], { service: 'shop', reach: 'webhook', events: 'direct', waiting: 0, instances: [], targets: [{ url: `${target.url}/`, in_flight: 1, draining: false, breaker: 'closed' }] });
    const left = performance.now();
    it.disconnect();
    await target.until(() => request.closed, 'the end of the request');
    assert.ok(request.closed - left < 100, `${request.closed - left} ms`);
    const ended = async () => (await gateway.ask('GET', '/v1/services')).services[0].targets[0].in_flight === 0;
    await eventually(ended, 'the call to end');
});

test('a message without a reply is an event', async (t) => {
    const target = await Target.start(t, (_, response) => response.writeHead(202).end());
    const gateway = await ownGateway(t, settings(target.url));
    const it = await signedIn(t, gateway, 'alice');
    await it.send({ service: 'shop', data: { seen: 7 } });
    const [{ headers, body, text }] = await target.until(({ length }) => length === 1, 'the event');
    const expected = { id: headers['webhook-id'], kind: 'message', data: { seen: 7 }, user: 'alice', connection: it.context.client };
    assert.deepEqual(body, { event: expected });
    new Webhook(NEW).verify(text, headers);
});

test('a service with a webhook accepts no links, and the error says what to do', async (t) => {
    const gateway = await ownGateway(t, settings('http://127.0.0.1:9/'));
    const { status, body } = await gateway.rest('GET', '/v1/services/shop/link');
    assert.equal(status, 400);
    assert.match(body.detail, /shop has a webhook or a queue, and no links/);
});

test('the complete service of docs/webhooks.md works as the page says', async (t) => {
    const page = readFileSync(join(ROOT, 'docs/webhooks.md'), 'utf8');
    const [, program] = /```python\n(# target\/shop\/shop\.py\n[^]*?)\n```/.exec(page);
    const python = spawn('python3', ['-c', program], { env: { ...process.env, SECRET: NEW, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => python.kill());
    const line = await next(python.stdout.setEncoding('utf8'), 'data', (text) => text.includes('listening'));
    const gateway = await ownGateway(t, settings(`http://127.0.0.1:${/\d+/.exec(line)[0]}/`));
    const it = await signedIn(t, gateway, 'alice');
    assert.deepEqual((await it.rpc('shop.buy', { item: 'apple' })).data, { item: 'apple', buyer: 'alice', left: 1 });
    assert.deepEqual((await it.rpc('shop.buy', { item: 'apple' })).data, { item: 'apple', buyer: 'alice', left: 0 });
    await assert.rejects(it.rpc('shop.buy', { item: 'apple' }), { code: 601, message: 'sold out', temporary: false });
    for (const bad of [null, [], 'apple', { item: {} }, { item: [] }]) await assert.rejects(it.rpc('shop.buy', bad), { code: 601 });
    const raw = await Raw.connect(t, gateway);
    raw.text(`{"id":100,"rpc":{"method":"shop.buy","data":${'1'.repeat(5000)}}}`);
    assert.equal((await raw.reply(100)).error.code, 400, 'a number of 5000 digits');
    await assert.rejects(it.rpc('shop.sell', {}), { code: 104 });
    await it.send({ service: 'shop', data: null });
    const url = `http://127.0.0.1:${/\d+/.exec(line)[0]}/`;
    assert.equal((await fetch(url, { method: 'POST', body: '{}' })).status, 401, 'it refuses what is not signed');
});

// The SDK's fallbacks in Chromium, in a page of another origin, which the gateway allows.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { HttpProxy } from './support/http-proxy.mjs';
import { launch } from './support/pages.mjs';
import { ROOT } from './support/program.mjs';
import { token } from './support/token.mjs';
import { eventually } from './support/wait.mjs';

const SDK = join(ROOT, 'gateway/tests/sdk/node_modules/centrifuge/dist');
const FILES = { JSON: 'centrifuge.js', Protobuf: 'centrifuge.protobuf.js' };

const browser = await launch({ after });

/** Serves a page with a build of the SDK. Resolves to its origin. */
async function servePage(t, file) {
    const script = await readFile(join(SDK, file));
    const server = createServer((request, response) => {
        const [type, body] = request.url === '/sdk.js' ? ['text/javascript', script] : ['text/html', '<!doctype html><link rel="icon" href="data:,"><script src="sdk.js"></script>'];
        response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}`;
}

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What the page does: it connects, subscribes and publishes, and keeps what it gets in `window.got`. Runs in the browser. */
async function follow({ origin, transport, isProtobuf, granted, channel }) {
    const read = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
    const write = (data) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(data)) : data);
    const endpoints = [{ transport, endpoint: `${origin}/connection/${transport}` }];
    const client = new Centrifuge(endpoints, { token: granted, emulationEndpoint: `${origin}/emulation`, minReconnectDelay: 20, maxReconnectDelay: 100 });
    Object.assign(window, { got: [], connections: 0 });
    client.on('error', () => {});
    client.on('connected', ({ transport: used }) => {
        window.connections += 1;
        window.used = used;
    });
    const subscription = client.newSubscription(channel);
    subscription.on('publication', ({ data }) => window.got.push(read(data)));
    subscription.subscribe();
    client.connect();
    await subscription.ready();
    window.publish = (data) => subscription.publish(write(data));
    await window.publish('ünï „€“ 𝄞');
}

for (const [transport, build] of [['http_stream', 'JSON'], ['http_stream', 'Protobuf'], ['sse', 'JSON']]) {
    test(`${transport}, ${build}: a page of an allowed origin talks, and goes on after a cut`, async (t) => {
        const page = await servePage(t, FILES[build]);
        const gateway = await ownGateway(t, `public.allowed_origins = ["${page}"]\n[namespaces.news]\nhistory_size = 1000\nsubscribe = "anyone"\npublish = "subscriber"\n`);
        const proxy = await HttpProxy.start(t, () => gateway);
        const channel = unique('news:');
        const tab = await browser.newPage();
        t.after(() => tab.close());
        await tab.goto(page);
        await tab.evaluate(follow, { origin: proxy.origin, transport, isProtobuf: build === 'Protobuf', granted: token({ sub: 'ann' }), channel });
        const state = () => tab.evaluate(() => ({ got: window.got, connections: window.connections, used: window.used }));
        const received = (count) => eventually(async () => (await state()).got.length >= count, `${count} publications`);
        await received(1);
        proxy.cut();
        await gateway.publish(channel, ...range(1, 300));
        proxy.restore();
        await received(301);
        await tab.evaluate(() => window.publish('end'));
        await received(302);
        assert.deepEqual(await state(), { got: ['ünï „€“ 𝄞', ...range(1, 300), 'end'], connections: 2, used: transport });
        // A browser asks before it sends a POST of these types from another origin.
        assert.ok(proxy.requests.some(({ method, path }) => method === 'OPTIONS' && path === '/emulation'));
    });
}

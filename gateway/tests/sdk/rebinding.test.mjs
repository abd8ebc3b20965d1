// DNS rebinding: a page of another name, which now leads to the gateway, in a real browser.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { ownGateway } from './support/gateway.mjs';
import { launch } from './support/pages.mjs';

const PAGE = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<!DOCTYPE html>';

/**
 * Serves a page at `/`, and leads everything else to the gateway, as a name does whose owner has changed its address after the browser loaded
 * the page. Resolves to the port.
 */
async function rebound(t, gateway) {
    const { hostname, port } = new URL(gateway.url);
    const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', (first) => {
            if (first.toString('latin1').startsWith('GET / ')) return socket.end(PAGE);
            const target = connect(port, hostname, () => target.write(first));
            target.on('error', () => socket.destroy());
            socket.pipe(target).pipe(socket);
        });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return server.address().port;
}

/** What a page of `host` gets from the gateway. */
async function outcomes(browser, host, port) {
    const tab = await browser.newPage();
    await tab.goto(`http://${host}:${port}/`);
    const found = await tab.evaluate(async () => {
        const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"user":"alice"}' };
        const opens = (made) => new Promise((done) => Object.assign(made, { onopen: () => done(true), onerror: () => done(false) }));
        return {
            ready: (await fetch('/readyz')).status,
            token: (await fetch('/demo/token', json)).status,
            socket: await opens(new WebSocket(`ws://${location.host}/connection/websocket`)),
            stream: await opens(new EventSource('/events?channel=news:a')),
        };
    });
    await tab.close();
    return found;
}

const SETTINGS = `
    [tokens]
    anonymous = true
    [demo]
    enabled = true
    [namespaces.news]
    subscribe = "anyone"`;
const SERVED = { ready: 200, token: 200, socket: true, stream: true };

test('a page whose name leads to the gateway gets nothing from it', async (t) => {
    const browser = await launch(t, ['--host-resolver-rules=MAP *.example 127.0.0.1']);
    const [open, listed] = await Promise.all([ownGateway(t, SETTINGS), ownGateway(t, `[public]\nhosts = ["chat.example"]${SETTINGS}`)]);
    const [openPort, listedPort] = [await rebound(t, open), await rebound(t, listed)];
    assert.deepEqual(await outcomes(browser, 'chat.example', listedPort), SERVED, 'the honest page');
    assert.deepEqual(await outcomes(browser, 'evil.example', listedPort), { ready: 421, token: 421, socket: false, stream: false });
    assert.deepEqual(await outcomes(browser, 'evil.example', openPort), SERVED, 'without public.hosts nothing tells the names apart');
});

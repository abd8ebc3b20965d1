// No proxy repeats the commands of a client whose WebSockets are cut: they may have been carried out although their answer was lost.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { PROXIES, startProxy } from './programs.mjs';
import { openStream } from './streams.mjs';

/** The answer to the upgrades of `sockets.mjs`, which all have the same key. */
const UPGRADED = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', '', ''].join('\r\n');

/** Stands for a gateway that breaks every connection on which commands arrive. `posts` are their bodies. */
async function breakingGateway(t, posts) {
  const server = createServer((request, response) => {
    if (request.url !== '/emulation') return response.end('{}');
    let body = '';
    request.on('data', (text) => (body += text)).on('end', () => {
      posts.push(body);
      request.socket.destroy();
    });
  });
  server.on('upgrade', (request, socket) => socket.end(UPGRADED));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return server.address().port;
}

// Proxies that do not read HTTP repeat nothing.
for (const description of PROXIES.filter(({ settings = [] }) => settings.length === 0)) {
  test(`${description.name} sends commands once`, async (t) => {
    const posts = [];
    const proxy = await startProxy(description, [await breakingGateway(t, posts), await breakingGateway(t, posts)]);
    t.after(() => proxy.stop());
    const commands = { path: '/emulation', method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"data":"commands"}' };
    const { status } = await openStream({ port: proxy.port, ca: proxy.ca, ...commands });
    assert(status >= 500, `the client learns it: ${status}`);
    assert.deepEqual(posts, [commands.body]);
  });
}

/** A proxy in front of the stack that lets some requests wait without an answer, as proxies do that know no WebSockets or that buffer streams. */

import { createServer, request } from 'node:http';
import { page } from './stack.mjs';

/** Starts it; it ends with the test. It never answers requests of the paths in `mute`, nor upgrades; `muted` counts them. `cut` breaks all connections. */
export async function mutingProxy(t, mute = []) {
  const gateway = new URL(page);
  const muted = { http: 0, upgrade: 0 };
  const pass = (incoming, answer) => {
    const { method, url, headers } = incoming;
    if (mute.includes(new URL(url, gateway).pathname)) return void (muted.http += 1);
    const outgoing = request({ host: gateway.hostname, port: gateway.port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    });
    // A tab that leaves ends its stream at the gateway, too.
    answer.on('close', () => outgoing.destroy());
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  };
  const proxy = createServer(pass).on('upgrade', () => { muted.upgrade += 1; });
  await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
  t.after(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${proxy.address().port}/`, muted, cut: () => proxy.closeAllConnections() };
}

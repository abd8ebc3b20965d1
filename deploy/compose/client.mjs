// A user of the stack: a page's client, through TLS at the proxy.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { request } from 'node:https';
import { join } from 'node:path';
import { ROOT, until } from '../testing/processes.mjs';

const SDK = join(ROOT, 'gateway/tests/sdk');

/** Installs the SDK where its tests have it. */
export function installSdk() {
  if (!existsSync(join(SDK, 'node_modules/ws'))) execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: SDK, stdio: 'inherit' });
}

/** A request to the proxy: `{ status, headers, body }`. */
export function ask(url, { ca, body, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, ...options }, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part)).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: text }));
    });
    // An upgrade that succeeds has no body.
    asked.on('upgrade', (answer, socket) => resolve({ status: answer.statusCode, headers: answer.headers, socket }));
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Connects with centrifuge-js and this token. `got(channel)` are the data that a subscription of the channel got, in order. */
export async function connect(url, { token, ca, origin = url, headers = {} }) {
  const { Centrifuge } = createRequire(join(SDK, 'package.json'))('centrifuge');
  const WebSocket = createRequire(join(SDK, 'package.json'))('ws');
  class Socket extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { ca, origin, headers });
    }
  }
  const client = new Centrifuge(`${url.replace('http', 'ws')}/connection/websocket`, { token, websocket: Socket, minReconnectDelay: 50, maxReconnectDelay: 500 });
  const user = { client, ids: [], personal: [] };
  client.on('connected', ({ client: id }) => user.ids.push(id));
  client.on('publication', ({ data }) => user.personal.push(data));
  client.connect();
  await client.ready(10_000).catch((error) => {
    client.disconnect();
    throw error;
  });
  user.subscribe = async (channel) => {
    const got = [];
    const subscription = client.newSubscription(channel, { recoverable: true });
    subscription.on('publication', ({ data }) => got.push(data));
    subscription.subscribe();
    await subscription.ready(10_000);
    return got;
  };
  user.reconnected = (count) => until(`connection ${count}`, () => user.ids.length >= count, 100_000);
  return user;
}

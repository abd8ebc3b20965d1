// Addresses that no proxy may send, and peers that are no proxy: what the gateway makes of them, and how it tells.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { startGateway, until } from '../testing/processes.mjs';
import { HOST } from './sockets.mjs';

const PROXY = '127.0.0.1';
const STRANGER = '127.0.0.9';

/** Sends bytes and an upgrade from an address. Resolves to the answer and the socket, or to an empty answer if the gateway closes. */
function upgrade({ port }, from, { first = '', lines = [] } = {}) {
  const head = ['GET /connection/websocket HTTP/1.1', `Host: ${HOST}`, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...lines, '', ''];
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from }, () => socket.write(Buffer.concat([Buffer.from(first, 'latin1'), Buffer.from(head.join('\r\n'))])));
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.includes('\r\n\r\n')) resolve({ answer, socket });
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve({ answer, socket }));
  });
}

/** The value of the series of a metric that has these labels. */
async function series(gateway, name, ...labels) {
  const text = await (await gateway.rest('/metrics')).text();
  const line = text.split('\n').find((each) => each.startsWith(`switchboard_${name}{`) && labels.every((label) => each.includes(label)));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('headers', { concurrency: false }, () => {
  let gateway;
  before(async () => (gateway = await startGateway([`public.trusted_proxies=${PROXY}`])));
  after(() => gateway?.stop());

  const CASES = [
    ['a name in X-Forwarded-For', PROXY, ['X-Forwarded-For: 6.6.6.6, not-an-address'], 'malformed', PROXY],
    ['an address that does not exist in X-Forwarded-For', PROXY, ['X-Forwarded-For: 300.1.2.3'], 'malformed', PROXY],
    ['a quote in Forwarded that does not end, left of a right address,', PROXY, ['Forwarded: for="6.6.6.6, for=5.5.5.5'], 'used', '5.5.5.5'],
    ['a quote in Forwarded that does not end', PROXY, ['Forwarded: for="6.6.6.6'], 'malformed', PROXY],
    ['two headers that name different clients', PROXY, ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=5.5.5.5'], 'conflict', PROXY],
    ['a proxy that hides its client', PROXY, ['Forwarded: for=unknown'], 'hidden', PROXY],
    ['a right address from a stranger', STRANGER, ['X-Forwarded-For: 6.6.6.6'], 'untrusted_peer', STRANGER],
    ['a right address from a proxy', PROXY, ['X-Forwarded-For: 6.6.6.6'], 'used', '6.6.6.6'],
  ];
  for (const [what, from, lines, result, address] of CASES) {
    test(`${what} counts as ${result}`, async () => {
      const count = () => series(gateway, 'proxy_headers_total', `result="${result}"`);
      const counted = await count();
      const { answer, socket } = await upgrade(gateway, from, { lines });
      const [, id] = /x-connection-id: (\w+)/i.exec(answer);
      const shown = await (await gateway.rest(`/v1/connections/${id}`)).json();
      socket.destroy();
      assert.deepEqual([shown.address, await count()], [address, counted + 1]);
    });
  }
});

describe('the PROXY protocol', { concurrency: false }, () => {
  let gateway;
  before(async () => (gateway = await startGateway([`public.trusted_proxies=${PROXY}`, 'public.proxy_protocol=true'])));
  after(() => gateway?.stop());

  const V2 = '\r\n\r\n\0\r\nQUIT\n';
  const REFUSED = [
    ['an address that does not exist', PROXY, 'PROXY TCP4 300.1.2.3 127.0.0.1 1 2\r\n', 'proxy_header'],
    ['an address of the other family', PROXY, 'PROXY TCP4 ::1 ::1 1 2\r\n', 'proxy_header'],
    ['a version that does not exist', PROXY, `${V2}\x31\x11\0\x0c${'\x01'.repeat(12)}`, 'proxy_header'],
    ['no header', PROXY, '', 'proxy_header'],
    ['a header of a stranger', STRANGER, 'PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n', 'proxy_untrusted'],
  ];
  for (const [what, from, first, cause] of REFUSED) {
    test(`${what} counts as ${cause}, and ends the connection`, async () => {
      const count = () => series(gateway, 'http_connection_errors_total', 'listener="public"', `cause="${cause}"`);
      const counted = await count();
      const { answer } = await upgrade(gateway, from, { first });
      assert.equal(answer, '');
      await until('the count', async () => (await count()) === counted + 1);
    });
  }

  for (const [version, first] of [[1, 'PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n'], [2, `${V2}\x21\x11\0\x0c\x06\x06\x06\x06\x7f\0\0\x01\0\x01\0\x02`]]) {
    test(`a right address in version ${version} is used`, async () => {
      const { answer, socket } = await upgrade(gateway, PROXY, { first });
      const [, id] = /x-connection-id: (\w+)/i.exec(answer);
      assert.equal((await (await gateway.rest(`/v1/connections/${id}`)).json()).address, '6.6.6.6');
      socket.destroy();
    });
  }

  test('the log says what is wrong, once a minute for each cause', async () => {
    for (const sentence of ['the PROXY header of version 1 is malformed', `${STRANGER} is no trusted proxy; only these may send a header of the PROXY protocol`]) {
      await until(sentence, () => gateway.log.includes(sentence));
    }
  });
});

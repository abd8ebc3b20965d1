import { memoryStorage } from './page.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { GatewayLink } from '../../js/transport/gateway-link.js';
import { fetchOver } from '../../js/transport/http-stream.js';
import { chosenTransport, endpoints, transportText, TRANSPORTS } from '../../js/transport/transports.js';

test('the SDK gets all transports, the chosen one first', () => {
  const order = (first) => endpoints(first, 'https://h/demo/').map(({ transport }) => transport);
  assert.deepEqual(order('websocket'), ['websocket', 'http_stream', 'sse']);
  assert.deepEqual(order('sse'), ['sse', 'websocket', 'http_stream']);
  assert.deepEqual(endpoints('sse', 'https://h/demo/').map(({ endpoint }) => endpoint),
    ['https://h/demo/connection/sse', 'wss://h/demo/connection/websocket', 'https://h/demo/connection/http_stream']);
});

test('a choice is kept, and what is no transport is ignored', (t) => {
  Object.defineProperty(globalThis, 'sessionStorage', { value: memoryStorage(), configurable: true });
  assert.deepEqual([chosenTransport.stored(), chosenTransport.first()], [null, 'websocket']);
  for (const name of [null, undefined, 'carrier pigeon', 'toString']) chosenTransport.store(name);
  assert.equal(chosenTransport.stored(), null);
  for (const name of TRANSPORTS) {
    chosenTransport.store(name);
    assert.deepEqual([chosenTransport.stored(), chosenTransport.first()], [name, name]);
  }
  sessionStorage.setItem('switchboard.transport', 'from another version');
  assert.equal(chosenTransport.first(), 'websocket');
});

test('the page says which transport is used in place of the chosen one', () => {
  assert.equal(transportText('websocket', 'http_stream'), 'WebSocket does not get through, so this tab uses HTTP stream.');
  for (const used of ['', 'sse']) assert.match(transportText('sse', used), /^If it does not get through/);
});

const CONNECT = `{"id":1,"connect":{"client":"c","node":"node-1:86147ccaa3eefa8a"}}`;

/** A link, and the answer of the gateway as a stream that the test writes. */
function streaming(t) {
  const link = new GatewayLink();
  let answer;
  const body = new ReadableStream({ start: (controller) => { answer = controller; } });
  t.mock.method(globalThis, 'fetch', async (url, { signal }) => {
    signal.addEventListener('abort', () => answer.error(signal.reason));
    return new Response(body);
  });
  const client = new AbortController();
  const write = (text) => answer.enqueue(new TextEncoder().encode(text));
  return { link, client, write, end: () => answer.close(), open: () => fetchOver(link)('u', { body: 'connect', signal: client.signal }) };
}

const turns = async () => {
  for (let n = 0; n < 20; n += 1) await new Promise(setImmediate);
};

test('lines of a stream are counted and passed on, however they are cut, and the connect reply names the node', async (t) => {
  const { link, write, end, open } = streaming(t);
  const read = (await open()).text();
  write(`${' '.repeat(2048)}${CONNECT.slice(0, 20)}`);
  await turns();
  assert.deepEqual([link.framesIn, link.node], [0, '']);
  write(`${CONNECT.slice(20)}\n{}\n`);
  await turns();
  assert.deepEqual([link.framesIn, link.node, link.framesOut], [2, 'node-1', 1]);
  end();
  assert.equal((await read).trim(), `${CONNECT}\n{}`);
});

test('a cut ends what is open, and what is opened meanwhile fails', async (t) => {
  const { link, open } = streaming(t);
  const read = (await open()).text();
  link.cut(1_000);
  await assert.rejects(read);
  await assert.rejects(open(), TypeError);
});

test('the SDK ends its own stream', async (t) => {
  const { link, client, open } = streaming(t);
  const read = (await open()).text();
  client.abort();
  await assert.rejects(read);
  link.cut(1_000);
});

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import './page.mjs';
import { ConnectionState } from '../../js/connection/connection-state.js';
import { CAN_TRY_NOW, connectionTexts, stateOf } from '../../js/connection/connection-texts.js';
import { disconnectText, signInText } from '../../js/page/error-texts.js';
import { TRANSPORTS } from '../../js/transport/transports.js';
import { RecoveredMessages } from '../../js/connection/recovered-messages.js';

const facts = { isConnected: false, isClosed: false, isCut: false, isRetrying: false, isOnline: true, wasConnected: false, isShutdown: false };

test('the state follows from the facts', () => {
  const table = [
    [{}, 'connecting'],
    [{ isOnline: false }, 'connecting'],
    [{ isRetrying: true }, 'unreached'],
    [{ isRetrying: true, isOnline: false }, 'offline'],
    [{ isConnected: true }, 'connected'],
    [{ isConnected: true, isOnline: false }, 'connected'],
    [{ wasConnected: true, isRetrying: true }, 'waiting'],
    [{ wasConnected: true, isRetrying: true, isShutdown: true }, 'shutdown'],
    [{ wasConnected: true, isRetrying: true, isOnline: false, isShutdown: true }, 'offline'],
    [{ wasConnected: true, isRetrying: true, isCut: true }, 'cut'],
    [{ wasConnected: true, isRetrying: true, isCut: true, isOnline: false }, 'cut'],
    [{ wasConnected: true }, 'connecting'],
    [{ wasConnected: true, isRetrying: true, isClosed: true }, 'closed'],
    [{ isClosed: true, isCut: true, isOnline: false }, 'closed'],
  ];
  for (const [given, state] of table) assert.equal(stateOf({ ...facts, ...given }), state, JSON.stringify(given));
});

const TIMES = { nextIn: '2.0', backIn: '4.0', closing: { code: 3503, reason: 'force disconnect' } };

test('each state has its own texts', () => {
  const table = {
    connecting: ['Connecting', 'Connecting…', '', ''],
    connected: ['Connected', 'Connected', '', ''],
    unreached: ['Not connected', 'Next try within 2.0 s', 'Not connected yet. Next try within 2.0 s.', 'Not connected yet. Trying again.'],
    waiting: ['Reconnecting', 'Next try within 2.0 s', 'The connection is lost. Next try within 2.0 s.', 'The connection is lost. Trying again.'],
    shutdown: ['Reconnecting', 'Next try within 2.0 s', 'The server is shutting down. Next try within 2.0 s.', 'The server is shutting down. Trying again.'],
    offline: ['Offline', 'Offline', 'You are offline. The page connects again when your network is back.', 'You are offline.'],
    cut: ['Connection cut', 'Cut, back in 4.0 s', 'You cut the connection. It comes back in 4.0 s. No message will be missing.', 'You cut the connection.'],
    closed: ['Disconnected', 'Disconnected', 'The server ended this connection.', 'The server ended this connection.'],
  };
  for (const [state, [pill, panel, banner, announcement]] of Object.entries(table)) {
    assert.deepEqual(connectionTexts(state, TIMES), { pill, panel, banner, announcement }, state);
  }
});

test('a connection that is closed for good never reads as if the page tried again', () => {
  for (const code of [0, 1, 3500, 3503, 4500]) {
    const texts = connectionTexts('closed', { ...TIMES, closing: { code, reason: 'gone' } });
    for (const text of Object.values(texts)) assert.doesNotMatch(text, /reconnecting|next try|trying again|connecting/i, `${code}: ${text}`);
  }
  assert.equal(CAN_TRY_NOW.has('closed'), false);
});

test('every disconnect code after which the SDK gives up has its own sentence, and no other code has one', () => {
  const codes = [...readFileSync(new URL('../../../docs/codes.md', import.meta.url), 'utf8').matchAll(/^\| (3[5-9]\d\d) \|/gm)].map(([, code]) => Number(code));
  assert.ok(codes.length >= 5, 'docs/codes.md lists them');
  for (let code = 3500; code < 4000; code += 1) {
    const hasOwn = !disconnectText({ code, reason: 'the reason' }).includes('the reason');
    assert.equal(hasOwn, codes.includes(code), `code ${code}`);
  }
});

test('a failed sign-in says what happened and what to do', () => {
  const table = [
    [{ status: 0 }, 'The gateway does not answer. Is it running?'],
    [{ status: 0, isOnline: false }, 'You are offline, and the gateway does not answer.'],
    [{ status: 0, isTimeout: true }, 'The gateway did not answer in time. Try again.'],
    [{ status: 429, retryAfter: '7' }, 'Too many sign-ins at once. Try again in 7 s.'],
    [{ status: 429 }, 'Too many sign-ins at once. Try again in a moment.'],
    [{ status: 429, retryAfter: 'nonsense' }, 'Too many sign-ins at once. Try again in a moment.'],
    [{ status: 500 }, 'The gateway cannot sign you in now (error 500). Try again in a moment.'],
    [{ status: 503, retryAfter: '1', detail: 'unavailable' }, 'The gateway cannot sign you in now (error 503). Try again in 1 s.'],
    [{ status: 404 }, 'This gateway issues no demo tokens: its setting demo.enabled is false.'],
    [{ status: 400, detail: 'The user "bot" is reserved.' }, 'The user "bot" is reserved.'],
    [{ status: 403, detail: 'pages of this origin may not connect' }, 'Pages of this origin may not connect.'],
    [{ status: 413 }, 'The gateway refused the sign-in (error 413).'],
  ];
  for (const [given, text] of table) assert.equal(signInText(given), text, JSON.stringify(given));
  const date = new Date(Date.now() + 30_000).toUTCString();
  assert.match(signInText({ status: 429, retryAfter: date }), /Try again in (29|30) s\./);
  for (const status of [400, 403, 429, 500, 502, 503]) assert.doesNotMatch(signInText({ status }), /running/, `${status}: something answered`);
});

test('recovered messages are counted as a person counts them', () => {
  const recovered = new RecoveredMessages();
  recovered.begin();
  for (let i = 0; i < 5; i += 1) recovered.add({ kind: 'message', id: `m${i}` });
  recovered.add({ kind: 'stream', id: 's', channel: 'stream:s' });
  for (let seq = 0; seq < 45; seq += 1) recovered.add({ kind: 'part', seq, text: 'word ' });
  recovered.add({ kind: 'end', reason: 'done' });
  recovered.add({ kind: 'message', id: 's', stream: 's' });
  recovered.add({ kind: 'typing', from: 'bob' });
  recovered.add({ kind: 'notification', id: 'n' });
  recovered.add({ headline: 'News' });
  recovered.add(null);
  assert.equal(recovered.latest, 8, 'five messages, one answer, one notification, one headline');
  recovered.begin();
  recovered.add({ kind: 'message', id: 'later' });
  assert.deepEqual([recovered.latest, recovered.total], [1, 9]);
});

/** A fake SDK client with one subscription and a fake socket. */
function fake() {
  const client = Object.assign(new EventEmitter(), { state: 'connecting' });
  client.on('error', () => {});
  const socket = Object.assign(new EventTarget(), { cutUntil: 0, isOnline: true });
  const connection = new ConnectionState(client, socket);
  const sub = Object.assign(new EventEmitter(), { state: 'subscribing', channel: 'chat:lobby' });
  connection.watch(sub);
  const recoveries = [];
  connection.addEventListener('recovered', () => recoveries.push(connection.recovered.latest));
  return {
    client, socket, connection, sub, recoveries,
    fail: (transport) => client.emit('error', { error: { code: 2 }, transport }),
    connect() {
      client.state = 'connected';
      client.emit('connected', { transport: 'websocket', client: 'c' });
    },
    lose(code = 1006) {
      Object.assign(client, { state: 'connecting' });
      sub.state = 'subscribing';
      client.emit('connecting', { code, reason: '' });
    },
    subscribe(datas, more = {}) {
      sub.state = 'subscribed';
      sub.emit('subscribed', { channel: sub.channel, wasRecovering: true, recovered: true, hasRecoveredPublications: datas.length > 0, streamPosition: { epoch: 'e', offset: 0 }, ...more });
      datas.forEach((data, index) => sub.emit('publication', { channel: sub.channel, offset: index + 1, data }));
    },
  };
}

const turn = () => new Promise(setImmediate);

test('the count of a recovery is reported when all subscriptions are back, however long it takes', async () => {
  const { connection, connect, lose, subscribe, recoveries, sub } = fake();
  connect();
  subscribe([], { wasRecovering: false });
  await turn();
  assert.deepEqual(recoveries, [], 'the first connection recovers nothing');
  lose();
  connect();
  await turn();
  assert.deepEqual(recoveries, [], 'the subscription is not back yet');
  subscribe([{ kind: 'message', id: 'a' }, { kind: 'part', seq: 0 }, { kind: 'message', id: 'b' }]);
  await turn();
  assert.deepEqual(recoveries, [2]);
  sub.emit('publication', { channel: sub.channel, offset: 4, data: { kind: 'message', id: 'live' } });
  assert.equal(connection.recovered.total, 2, 'a live message is not recovered');
  lose();
  connect();
  subscribe([]);
  await turn();
  assert.deepEqual(recoveries, [2, 0]);
});

test('a first attempt that fails is not a lost connection, and reads as connecting while another transport has its turn', () => {
  const { client, connection, connect, fail, lose, socket } = fake();
  client.emit('connecting', { code: 0, reason: 'connect called' });
  for (const transport of TRANSPORTS) {
    assert.equal(connection.state, 'connecting', `before ${transport} failed`);
    fail(transport);
  }
  assert.equal(connection.state, 'unreached');
  assert.ok(connection.nextBefore > performance.now());
  connect();
  assert.equal(connection.state, 'connected');
  lose();
  assert.equal(connection.state, 'waiting');
  connect();
  lose(3001);
  assert.equal(connection.state, 'shutdown');
  socket.isOnline = false;
  assert.equal(connection.state, 'offline');
  socket.isOnline = true;
  socket.cutUntil = 1;
  assert.equal(connection.state, 'cut');
  client.state = 'disconnected';
  client.emit('disconnected', { code: 3503, reason: 'force disconnect' });
  fail();
  assert.equal(connection.state, 'closed');
});

test('a transport that fails twice before the first connection is not followed by another one at once', () => {
  const { connection, fail } = fake();
  fail('websocket');
  assert.equal(connection.state, 'connecting');
  fail('websocket');
  assert.equal(connection.state, 'unreached');
});

test('once there was a connection, every failure is a wait', () => {
  const { connection, connect, fail, lose } = fake();
  connect();
  lose();
  fail('websocket');
  assert.equal(connection.state, 'waiting');
});

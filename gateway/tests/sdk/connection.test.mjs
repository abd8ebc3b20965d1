// Connections through the official SDK and through bare sockets: tokens, server-side subscriptions, calls, messages, closes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, client, connected, event, publish, raw, rest, soon, subscribed, token, until, user } from './stack.mjs';

test('a personal channel and the channels of the token are subscribed by the server', async (t) => {
  const name = user('alice');
  const extra = channel('recover');
  const alice = client(t, { token: token({ sub: name, channels: [extra] }) });
  const got = [];
  alice.on('publication', (publication) => got.push([publication.channel, publication.data]));
  alice.connect();
  await alice.ready(5000);
  await rest('POST', `/v1/users/${name}/messages`, { data: 'personal' });
  await publish(extra, 'by token');
  await until(alice, 'publication', () => got.length === 2);
  assert.deepEqual(got, [[`#${name}`, 'personal'], [extra, 'by token']]);
});

test('what a user missed in the personal channel comes after a dropped connection', async (t) => {
  const name = user('alice');
  const alice = await connected(t, name);
  const got = [];
  alice.on('publication', ({ data }) => got.push(data));
  const away = event(alice, 'connecting');
  alice.sockets.at(-1).terminate();
  await away;
  for (let n = 0; n < 20; n += 1) await rest('POST', `/v1/users/${name}/messages`, { data: n });
  await until(alice, 'publication', () => got.length === 20);
  assert.deepEqual(got, Array.from({ length: 20 }, (_, n) => n));
});

test('a service subscribes and unsubscribes a user, and later connects know it', async (t) => {
  const name = user('alice');
  const to = channel('news');
  const alice = await connected(t, name);
  const joined = event(alice, 'subscribed', (context) => context.channel === to);
  const path = `/v1/users/${name}/subscriptions/${encodeURIComponent(to)}`;
  assert.ok((await rest('PUT', path, {})).status < 300);
  await joined;
  const again = client(t, { token: token({ sub: name }) });
  const known = event(again, 'subscribed', (context) => context.channel === to);
  again.connect();
  await known;
  const left = event(alice, 'unsubscribed', (context) => context.channel === to);
  assert.ok((await rest('DELETE', path)).status < 300);
  await left;
});

test('a token with expiry is refreshed; an expired one is replaced; a false one ends it', async (t) => {
  const name = user('alice');
  let asked = 0;
  const alice = client(t, { token: token({ sub: name, exp: soon(-3600) }), getToken: async () => token({ sub: name, exp: soon(++asked < 2 ? 2 : 3600) }) });
  alice.connect();
  await alice.ready(5000);
  assert.equal(asked, 1, 'the expired one was replaced');
  while (asked < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const liar = client(t, { token: `${token({ sub: name }).slice(0, -4)}AAAA` });
  liar.connect();
  assert.equal((await event(liar, 'disconnected')).code, 3500);
});

test('calls reach a service and bring its answer or its error', async (t) => {
  const alice = await connected(t, user('alice'));
  const room = channel('chat');
  const subscription = await subscribed(alice, room);
  const { data } = await alice.rpc('chatbot.say', { channel: room, text: 'help' });
  await until(subscription, 'publication', () => subscription.got.some((p) => p.data.id === data.message));
  await assert.rejects(alice.rpc('nobody.say', {}), { code: 104 });
  await assert.rejects(alice.rpc('chatbot.unknown', {}), (error) => error.code >= 400);
});

test('many commands in one message are all answered', async (t) => {
  const alice = await connected(t, user('alice'));
  const name = channel('recover');
  const subscription = await subscribed(alice, name);
  alice.startBatching();
  const all = Array.from({ length: 50 }, (_, n) => subscription.publish(n));
  alice.stopBatching();
  await Promise.all(all);
  await until(subscription, 'publication', () => subscription.got.length === 50);
  assert.deepEqual(subscription.got.map((p) => p.data), Array.from({ length: 50 }, (_, n) => n));
});

test('a message of several commands before the first answer', async (t) => {
  const socket = await raw(t);
  socket.ask('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"open:raw"}}\n{"id":3,"ping":{}}');
  const ids = [];
  while (ids.length < 3) ids.push(...(await socket.next()).split('\n').map((line) => JSON.parse(line).id).filter(Boolean));
  assert.deepEqual(ids.sort(), [1, 2, 3]);
});

test('services reach one connection, and end a user\'s', async (t) => {
  const name = user('alice');
  const alice = await connected(t, name);
  const { body } = await rest('GET', `/v1/users/${name}/connections`);
  const [{ id }] = body.connections ?? body;
  const message = event(alice, 'message');
  assert.ok((await rest('POST', `/v1/connections/${id}/messages`, { data: { hello: 1 } })).status < 300);
  assert.deepEqual((await message).data, { hello: 1 });
  const ended = event(alice, 'disconnected');
  assert.ok((await rest('DELETE', `/v1/users/${name}/connections?code=3503&reason=bye`)).status < 300);
  assert.equal((await ended).code, 3503);
  assert.equal((await rest('GET', `/v1/connections/${id}`)).status, 410);
});

for (const [what, text, code] of [
  ['no JSON', 'hello', 3501],
  ['an array', '[1]', 3501],
  ['two commands in one', '{"id":1,"connect":{},"ping":{}}', 3501],
  ['no id', '{"connect":{}}', 3501],
  ['a first command that is not connect', '{"id":1,"ping":{}}', 3501],
  ['a false token', '{"id":1,"connect":{"token":"x.y.z"}}', 3500],
  ['twenty thousand brackets', `{"id":1,"rpc":{"method":"a.b","data":${'['.repeat(20000)}${']'.repeat(20000)}}}`, 3501],
  ['a message above the limit', `"${'x'.repeat(70000)}"`, 1009],
]) {
  test(`${what} closes the connection with ${code}`, async (t) => {
    const socket = await raw(t);
    socket.ask(text);
    assert.equal((await socket.closed).code, code);
  });
}

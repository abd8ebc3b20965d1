// Channels through the official SDK: subscribe, publish, history, presence, recovery.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, connected, event, publish, rest, soon, subscribed, token, until, user } from './stack.mjs';

test('what is published reaches every subscriber, with its publisher and its offset', async (t) => {
  const [alice, bob] = [await connected(t, user('alice')), await connected(t, user('bob'))];
  const name = channel('recover');
  const [mine, theirs] = [await subscribed(alice, name), await subscribed(bob, name)];
  await mine.publish({ n: 1 });
  assert.equal((await publish(name, { n: 2 })).status, 200);
  await until(theirs, 'publication', () => theirs.got.length === 2);
  assert.deepEqual(theirs.got.map((p) => [p.offset, p.data.n]), [[1, 1], [2, 2]]);
  assert.match(theirs.got[0].info.user, /^alice/);
  assert.equal(theirs.got[1].info, undefined);
});

test('history goes forwards, backwards, from a position, and tells the newest one', async (t) => {
  const name = channel('recover');
  const subscription = await subscribed(await connected(t), name);
  for (let n = 1; n <= 10; n += 1) await publish(name, n);
  const data = ({ publications }) => publications.map((p) => p.data);
  const top = await subscription.history({ limit: 0 });
  assert.equal(top.offset, 10);
  assert.deepEqual(data(top), []);
  assert.deepEqual(data(await subscription.history({ limit: 3 })), [1, 2, 3]);
  assert.deepEqual(data(await subscription.history({ limit: 3, reverse: true })), [10, 9, 8]);
  const since = { offset: 5, epoch: top.epoch };
  assert.deepEqual(data(await subscription.history({ limit: 3, since })), [6, 7, 8]);
  assert.deepEqual(data(await subscription.history({ limit: 3, since, reverse: true })), [4, 3, 2]);
  await assert.rejects(subscription.history({ limit: 1, since: { offset: 5, epoch: 'another' } }), { code: 112 });
});

test('presence knows who is there, and joins and leaves are told', async (t) => {
  const name = channel('chat');
  const watcher = await subscribed(await connected(t, user('watcher')), name, { joinLeave: true });
  const guest = await connected(t, user('guest'));
  const joined = event(watcher, 'join', ({ info }) => info.user.startsWith('guest'));
  const theirs = await subscribed(guest, name);
  await joined;
  assert.equal(Object.keys((await watcher.presence()).clients).length, 2);
  assert.deepEqual(await watcher.presenceStats(), { numClients: 2, numUsers: 2 });
  const left = event(watcher, 'leave', ({ info }) => info.user.startsWith('guest'));
  theirs.unsubscribe();
  await left;
  assert.deepEqual(await watcher.presenceStats(), { numClients: 1, numUsers: 1 });
});

test('after a dropped connection everything missed comes once and in order, however much', async (t) => {
  const alice = await connected(t, user('alice'));
  const name = channel('recover');
  const subscription = await subscribed(alice, name);
  await publish(name, 0);
  await until(subscription, 'publication', () => subscription.got.length === 1);
  const away = event(alice, 'connecting');
  alice.sockets.at(-1).terminate();
  await away;
  const back = event(subscription, 'subscribed');
  const items = Array.from({ length: 1500 }, (_, n) => ({ channel: name, data: n + 1 }));
  for (let at = 0; at < items.length; at += 500) {
    const answer = await rest('POST', '/v1/publications', { publications: items.slice(at, at + 500) });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  const context = await back;
  assert.equal(context.wasRecovering, true);
  assert.equal(context.recovered, true);
  await until(subscription, 'publication', () => subscription.got.length === 1501);
  assert.deepEqual(subscription.got.map((p) => p.data), Array.from({ length: 1501 }, (_, n) => n));
});

test('what is gone is told, and what is still held comes all the same', async (t) => {
  const name = channel('news');
  for (let n = 1; n <= 150; n += 1) await publish(name, n);
  const { body } = await rest('GET', `/v1/channels/${encodeURIComponent(name)}/publications?limit=1`);
  const subscription = await subscribed(await connected(t), name, { since: { offset: 10, epoch: body.epoch } });
  assert.equal(subscription.first.wasRecovering, true);
  assert.equal(subscription.first.recovered, false);
  await until(subscription, 'publication', () => subscription.got.length === 100);
  assert.deepEqual(subscription.got.map((p) => p.data), Array.from({ length: 100 }, (_, n) => n + 51));
});

test('from the first that is held', async (t) => {
  const name = channel('stream');
  for (let n = 1; n <= 5; n += 1) await publish(name, n);
  const subscription = await subscribed(await connected(t), name, { since: { offset: 0, epoch: '' } });
  await until(subscription, 'publication', () => subscription.got.length === 5);
  assert.equal(subscription.first.recovered, true);
  assert.deepEqual(subscription.got.map((p) => p.offset), [1, 2, 3, 4, 5]);
});

test('a subscription token is refreshed before it expires', async (t) => {
  const name = user('alice');
  const alice = await connected(t, name);
  const to = channel('recover');
  let asked = 0;
  const getToken = async () => token({ sub: name, channel: to, exp: soon(++asked === 1 ? 2 : 3600) });
  const subscription = await subscribed(alice, to, { getToken });
  const refreshed = new Promise((resolve) => {
    const look = setInterval(() => asked >= 2 && resolve(clearInterval(look)), 20);
  });
  await refreshed;
  await publish(to, 'after the refresh');
  await until(subscription, 'publication', () => subscription.got.length === 1);
});

test('errors of channels have their codes', async (t) => {
  const alice = await connected(t, user('alice'));
  const fails = async (name, code, options) => {
    const subscription = alice.newSubscription(name, options);
    subscription.subscribe();
    const { code: got } = await event(subscription, 'unsubscribed');
    assert.equal(got, code, name);
  };
  await fails('nowhere:a', 102);
  await fails('a b', 107);
  await fails('#somebody-else', 103);
  await fails(channel('recover'), 103, { token: token({ sub: 'another', channel: 'recover:x' }) });
  const news = await subscribed(alice, channel('news'));
  await assert.rejects(news.publish(1), { code: 103 });
  await assert.rejects(news.presence(), { code: 103 });
  await assert.rejects(alice.publish(channel('open'), 1), { code: 103 });
});

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import test from 'node:test';
import { memoryStorage } from './page.mjs';
import { Chat } from '../../js/conversation/chat.js';
import { Outbox } from '../../js/outgoing/outbox.js';

/** A fake SDK subscription together with the gateway's history of its channel. */
class Channel extends EventEmitter {
  channel = 'chat:lobby';
  epoch = 'e';
  log = [];
  reads = 0;

  subscribe() {}

  add(data) {
    const publication = { channel: this.channel, offset: this.log.length + 1, data };
    this.log.push(publication);
    return publication;
  }

  connect(more) {
    this.emit('subscribed', { channel: this.channel, wasRecovering: false, recovered: false, streamPosition: { epoch: this.epoch, offset: this.log.length }, ...more });
  }

  async history({ limit, since }) {
    if (limit > 1) this.reads += 1;
    const publications = this.log.filter(({ offset }) => !since || offset < since.offset).reverse().slice(0, limit);
    return { publications, epoch: this.epoch, offset: this.log.length };
  }
}

const message = (id, from = 'bob', text = id) => ({ kind: 'message', id, from, text });

function open(rpc = async () => ({ data: {} })) {
  const channel = new Channel();
  const client = { newSubscription: () => channel, rpc };
  const chat = new Chat(client, 'alice', channel.channel, () => {}, new Outbox('alice', channel.channel, memoryStorage()));
  return { channel, chat, ids: () => chat.entries().map(({ id }) => id) };
}

/** Resolves when the chat has made all its own reads. */
async function finishedLoading(channel) {
  for (let reads = -1; reads !== channel.reads;) {
    reads = channel.reads;
    await new Promise(setImmediate);
  }
}

test('the first page of history and live publications during its load make one list', async () => {
  const { channel, chat, ids } = open();
  channel.add(message('a'));
  channel.connect();
  channel.emit('publication', channel.add(message('b')));
  await once(chat, 'loaded');
  assert.deepEqual(ids(), ['a', 'b']);
});

test('a resumed subscription does not read the history', async () => {
  const { channel, ids } = open();
  channel.connect();
  await finishedLoading(channel);
  const { reads } = channel;
  channel.connect({ wasRecovering: true, recovered: true });
  channel.emit('publication', channel.add(message('a')));
  await finishedLoading(channel);
  assert.equal(channel.reads, reads);
  assert.deepEqual(ids(), ['a']);
});

test('after a failed recovery the page reads the history back to the newest known entry and reports a problem', async () => {
  const { channel, chat, ids } = open();
  channel.connect();
  channel.emit('publication', channel.add(message('known')));
  await finishedLoading(channel);
  for (let i = 0; i < 200; i += 1) channel.add(message(`missed ${i}`));
  const problem = once(chat, 'problem');
  channel.connect({ wasRecovering: true, recovered: false });
  assert.match((await problem)[0].detail, /may be missing/);
  await finishedLoading(channel);
  assert.deepEqual(ids(), channel.log.map(({ data }) => data.id));
});

test('entries of a new epoch are read from its newest page and come after those of the old one', async () => {
  const { channel, ids } = open();
  channel.add(message('old'));
  channel.connect();
  await finishedLoading(channel);
  Object.assign(channel, { epoch: 'f', log: [] });
  channel.add(message('new'));
  channel.connect({ wasRecovering: true, recovered: false });
  await finishedLoading(channel);
  assert.deepEqual(ids(), ['old', 'new']);
});

for (const [total, isCut] of [[100, false], [180, false], [181, false], [400, true]]) {
  test(`earlier messages are loaded page by page until there are none (${total} messages${isCut ? ', the oldest deleted' : ''})`, async () => {
    const { channel, chat, ids } = open();
    for (let i = 0; i < total; i += 1) channel.add(message(`m${i}`));
    if (isCut) channel.log.splice(0, 200);
    const stored = channel.log.map(({ data }) => data.id);
    channel.connect();
    await once(chat, 'loaded');
    assert.equal(ids().length, 60);
    while (chat.hasOlder) {
      const before = ids().length;
      const added = await chat.loadOlder();
      assert.equal(ids().length, before + added);
      assert.ok(added > 0, 'nothing older is promised and then missing');
    }
    assert.deepEqual(ids(), stored);
  });
}

test('a page of history without messages does not end the way back', async () => {
  const { channel, chat, ids } = open();
  channel.add(message('first'));
  for (let i = 0; i < 130; i += 1) channel.add({ kind: 'poll', id: `p${i}` });
  for (let i = 0; i < 60; i += 1) channel.add(message(`m${i}`));
  channel.connect();
  await once(chat, 'loaded');
  assert.equal(await chat.loadOlder(), 1);
  assert.equal(ids()[0], 'first');
  assert.equal(chat.hasOlder, false);
});

test('a refused message stays with its reason and can be sent again', async () => {
  let isDown = true;
  const sentIds = [];
  const { channel, chat, ids } = open(async (method, { id, text }) => {
    sentIds.push(id);
    if (isDown) throw { code: 1000, message: 'unavailable' };
    channel.emit('publication', channel.add(message(id, 'alice', text)));
    return { data: { message: id } };
  });
  channel.connect();
  await finishedLoading(channel);
  await chat.say('hello');
  const [draft] = chat.entries();
  assert.equal(draft.state, 'refused');
  assert.match(draft.note, /not available/);
  isDown = false;
  await chat.retry(draft);
  await chat.say('hello');
  assert.match(sentIds[0], /^[0-9a-f]{32}$/);
  assert.equal(sentIds[1], sentIds[0], 'the same id when it is sent again');
  assert.notEqual(sentIds[2], sentIds[0], 'a new message with the same text has a new id');
  assert.deepEqual(ids(), [sentIds[0], sentIds[2]]);
  assert.deepEqual(chat.entries().map(({ state }) => state), ['done', 'done']);
});

test('a line is not sent while the connection is down, also if it broke during a read of the history', async () => {
  const sent = [];
  const { channel, chat } = open(async (method, { text }) => {
    sent.push(text);
    return { data: {} };
  });
  chat.say('hello');
  channel.history = async () => {
    channel.emit('subscribing', { code: 1, reason: 'transport closed' });
    throw { code: 11, message: 'connection closed' };
  };
  channel.connect();
  await finishedLoading(channel);
  assert.deepEqual(sent, []);
  assert.equal(chat.entries()[0].state, 'waiting');
  delete channel.history;
  channel.connect({ wasRecovering: true, recovered: true });
  await finishedLoading(channel);
  assert.deepEqual(sent, ['hello']);
});

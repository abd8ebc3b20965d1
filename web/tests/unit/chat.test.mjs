import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import test from 'node:test';
import './page.mjs';
import { Chat } from '../../js/chat.js';

/** A channel as in the gateway, with an SDK subscription to it. */
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
    this.reads += 1;
    const publications = this.log.filter(({ offset }) => !since || offset < since.offset).reverse().slice(0, limit);
    return { publications, epoch: this.epoch, offset: this.log.length };
  }
}

const line = (id, from = 'bob', text = id) => ({ kind: 'message', id, from, text });

function open(rpc = async () => ({ data: {} })) {
  const channel = new Channel();
  const client = { newSubscription: () => channel, rpc };
  const chat = new Chat(client, 'alice', channel.channel, () => {});
  return { channel, chat, ids: () => chat.entries().map(({ id }) => id) };
}

/** Resolves when the chat has made all its own reads. */
async function quiet(channel) {
  for (let reads = -1; reads !== channel.reads;) {
    reads = channel.reads;
    await new Promise(setImmediate);
  }
}

test('the first page of history and what comes live while it loads make one list', async () => {
  const { channel, chat, ids } = open();
  channel.add(line('a'));
  channel.connect();
  channel.emit('publication', channel.add(line('b')));
  await once(chat, 'loaded');
  assert.deepEqual(ids(), ['a', 'b']);
});

test('a resumed subscription reads nothing again', async () => {
  const { channel, ids } = open();
  channel.connect();
  await quiet(channel);
  const { reads } = channel;
  channel.connect({ wasRecovering: true, recovered: true });
  channel.emit('publication', channel.add(line('a')));
  await quiet(channel);
  assert.equal(channel.reads, reads);
  assert.deepEqual(ids(), ['a']);
});

test('after a recovery that failed the page reads back to what it knows, and says so', async () => {
  const { channel, chat, ids } = open();
  channel.connect();
  channel.emit('publication', channel.add(line('known')));
  await quiet(channel);
  for (let i = 0; i < 200; i += 1) channel.add(line(`missed ${i}`));
  const problem = once(chat, 'problem');
  channel.connect({ wasRecovering: true, recovered: false });
  assert.match((await problem)[0].detail, /may be missing/);
  await quiet(channel);
  assert.deepEqual(ids(), channel.log.map(({ data }) => data.id));
});

test('a new timeline is read from its newest page and stands after the old one', async () => {
  const { channel, ids } = open();
  channel.add(line('old'));
  channel.connect();
  await quiet(channel);
  Object.assign(channel, { epoch: 'f', log: [] });
  channel.add(line('new'));
  channel.connect({ wasRecovering: true, recovered: false });
  await quiet(channel);
  assert.deepEqual(ids(), ['old', 'new']);
});

test('earlier messages come page by page until there are none', async () => {
  const { channel, chat, ids } = open();
  for (let i = 0; i < 100; i += 1) channel.add(line(`m${i}`));
  channel.connect();
  assert.equal((await once(chat, 'loaded'))[0].detail, true);
  assert.equal(ids().length, 60);
  const loaded = once(chat, 'loaded');
  await chat.loadOlder();
  assert.equal((await loaded)[0].detail, false);
  assert.deepEqual(ids(), channel.log.map(({ data }) => data.id));
});

test('a refused line stays with its reason and can be sent again', async () => {
  let isDown = true;
  const asked = [];
  const { channel, chat, ids } = open(async (method, { id, text }) => {
    asked.push(id);
    if (isDown) throw { code: 1000, message: 'unavailable' };
    channel.emit('publication', channel.add(line(id, 'alice', text)));
    return { data: { message: id } };
  });
  channel.connect();
  await quiet(channel);
  await chat.say('hello');
  const [draft] = chat.entries();
  assert.equal(draft.state, 'refused');
  assert.match(draft.note, /not available/);
  isDown = false;
  await chat.retry(draft);
  await chat.say('hello');
  assert.match(asked[0], /^[0-9a-f]{32}$/);
  assert.equal(asked[1], asked[0], 'sent again it is the same line');
  assert.notEqual(asked[2], asked[0], 'the same words said again are another');
  assert.deepEqual(ids(), [asked[0], asked[2]]);
  assert.deepEqual(chat.entries().map(({ state }) => state), ['done', 'done']);
});

test('a line whose answer is lost is not called refused', async () => {
  const { channel, chat } = open(async () => { throw { code: 11, message: 'connection closed' }; });
  channel.connect();
  await chat.say('hello');
  assert.equal(chat.entries()[0].state, 'unsure');
});

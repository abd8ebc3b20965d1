import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { Inbox, safeLink } from '../../js/inbox.js';
import { Ledger } from '../../js/ledger.js';
import { median, runs } from '../../js/plot.js';
import { longestDelay, nameProblem } from '../../js/session.js';
import { StreamText } from '../../js/streams.js';
import { typingWords } from '../../js/typing.js';
import { commandFor, inWords, isUnsure } from '../../js/words.js';

class Storage {
  #map = new Map();
  getItem(key) { return this.#map.get(key) ?? null; }
  setItem(key, value) { this.#map.set(key, value); }
}

const part = (seq, text) => ({ kind: 'part', seq, text });
const notification = (id, more) => ({ kind: 'notification', id, title: `title ${id}`, body: '', level: 'info', at: '2030-01-01T00:00:00Z', ...more });

test('a stream takes each part once and says when one is missing', () => {
  const stream = new StreamText();
  for (const data of [part(0, 'a'), part(1, 'b'), part(1, 'b'), part(0, 'a'), part(2, 'c')]) stream.accept(data);
  assert.equal(stream.text, 'abc');
  assert.equal(stream.parts, 3);
  assert.equal(stream.hasGap, false);
  stream.accept(part(4, 'e'));
  assert.equal(stream.hasGap, true);
});

test('a stream ends once and takes nothing after', () => {
  const stream = new StreamText();
  assert.equal(stream.accept({ kind: 'end', reason: 'aborted' }), true);
  assert.equal(stream.accept({ kind: 'end', reason: 'done' }), false);
  assert.equal(stream.accept(part(0, 'late')), false);
  assert.equal(stream.ended, 'aborted');
  assert.equal(stream.text, '');
});

test('a notification counts once, also after a reload', () => {
  const storage = new Storage();
  const first = new Inbox('alice', storage);
  assert.ok(first.add(notification('1')));
  assert.equal(first.add(notification('1')), null);
  assert.equal(first.unread, 1);
  first.markAllRead();
  const second = new Inbox('alice', storage);
  assert.equal(second.add(notification('1')), null);
  assert.equal(second.unread, 0);
  assert.equal(second.list().length, 1);
  assert.equal(new Inbox('bob', storage).list().length, 0);
});

test('a tab follows what another tab has read, but hears of new items on its own line', () => {
  const storage = new Storage();
  const [one, two] = [new Inbox('alice', storage), new Inbox('alice', storage)];
  one.add(notification('1'));
  two.add(notification('1'));
  one.add(notification('2'));
  one.markRead('1');
  two.syncRead();
  assert.equal(two.unread, 0);
  assert.ok(two.add(notification('2')), 'what the other tab stored first is new here all the same');
});

test('an inbox stays bounded and survives a broken storage', () => {
  const storage = new Storage();
  storage.setItem('switchboard.inbox.alice', '{"items":5');
  const inbox = new Inbox('alice', storage);
  for (let i = 0; i < 1_000; i += 1) inbox.add(notification(`n${i}`, { at: new Date(i * 1000).toISOString() }));
  assert.equal(inbox.list().length, 100);
  assert.equal(inbox.list()[0].id, 'n999');
  assert.equal(JSON.parse(storage.getItem(inbox.key)).seen.length, 500);
});

test('levels and links come out safe', () => {
  const inbox = new Inbox('alice', new Storage());
  for (const [given, shown] of [['warn', 'warning'], ['ERROR', 'error'], ['critical', 'error'], ['odd', 'info'], [undefined, 'info']]) {
    assert.equal(inbox.add(notification(`level ${given}`, { level: given })).level, shown);
  }
  assert.equal(safeLink('/orders/7', 'https://example.org/'), 'https://example.org/orders/7');
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', '', null, 7, 'http://[']) assert.equal(safeLink(bad, 'https://example.org/'), null);
});

test('the ledger counts what is missing and what is doubled', () => {
  const ledger = new Ledger();
  const at = (offset, more) => ({ recovered: false, streamPosition: { epoch: 'e', offset }, ...more });
  const counts = () => [ledger.missing, ledger.doubled];
  ledger.publication('chat:lobby', 1);
  assert.deepEqual(counts(), [0, 0], 'nothing is expected before the subscription stands');
  ledger.subscribed('chat:lobby', at(4));
  for (const offset of [5, undefined, 6]) ledger.publication('chat:lobby', offset);
  ledger.subscribed('chat:lobby', at(6, { recovered: true }));
  ledger.publication('chat:lobby', 7);
  assert.deepEqual(counts(), [0, 0]);
  ledger.publication('chat:lobby', 7);
  ledger.publication('chat:lobby', 10);
  assert.deepEqual(counts(), [2, 1]);
  ledger.subscribed('chat:lobby', at(1, { streamPosition: { epoch: 'f', offset: 1 } }));
  ledger.publication('chat:lobby', 2);
  assert.deepEqual(counts(), [2, 1], 'a new timeline begins a new count');
  ledger.subscribed('stream:s', at(0, { recovered: true }));
  ledger.publication('stream:s', 3);
  ledger.publication('stream:s', 4);
  assert.deepEqual(counts(), [2, 1], 'a stream read from its start begins with what is held');
});

test('a gap in the samples is a gap in the line', () => {
  assert.deepEqual(runs([1, null, 2, 3], 4, { width: 30, height: 14, slots: 4 }).map((run) => run.length), [1, 2]);
  assert.deepEqual(runs([null, null], 4), []);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1]), 2.5);
  assert.equal(median([]), null);
});

test('names', () => {
  for (const good of ['a', 'Alice', 'a.b-c_9', 'a b', 'jürgen', '山田', '#a', 'auth0|a:b', '...', 'x'.repeat(32)]) assert.equal(nameProblem(good), '', good);
  for (const bad of ['', ' ', ' a', 'a\u00a0', 'a\nb', 'a\u200bb', 'a\u202eb', 'a\u2028b', '.', '..', 'x'.repeat(33)]) assert.notEqual(nameProblem(bad), '', bad);
});

test('the example notifies whoever is signed in, in a shell', () => {
  const seen = (user) => execFileSync('sh', ['-c', commandFor(user).replace('curl', `printf '%s\\n'`)], { encoding: 'utf8' }).split('\n').at(-2);
  for (const user of ['alice', `o'neil "x" $(id) \`id\` \\`]) assert.equal(JSON.parse(seen(user)).user, user);
});

test('the longest delay grows and stays bounded', () => {
  assert.deepEqual([0, 1, 2, 3, 9, 60].map(longestDelay), [1_000, 1_500, 2_500, 4_500, 5_000, 5_000]);
});

test('words for errors and for who is writing', () => {
  assert.match(inWords({ code: 1000, message: 'unavailable' }), /not available/);
  assert.equal(inWords({ code: 1999, message: 'no idea' }), 'No idea.');
  assert.equal(inWords({ code: 418, message: 'As you wished.' }), 'As you wished.');
  assert.notEqual(inWords(undefined), '');
  assert.equal(isUnsure({ code: 1001 }), true);
  assert.equal(isUnsure({ code: 1000 }), false);
  assert.equal(typingWords([]), '');
  assert.equal(typingWords(['a', 'b', 'c']), 'a and 2 others are writing');
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { ago } from '../../js/notices/ages.js';
import { Inbox, timeOf } from '../../js/notifications/inbox.js';
import { safeLink } from '../../js/page/links.js';
import { LEVELS } from '../../js/notices/levels.js';
import { spoken } from '../../js/notices/notice.js';
import { excerpt } from '../../js/page/excerpt.js';
import { OffsetCheck } from '../../js/connection/offset-check.js';
import { median, runs } from '../../js/connection/plot.js';
import { longestDelay, nameProblem } from '../../js/sign-in/session.js';
import { StreamText } from '../../js/conversation/streams.js';
import { typingParts } from '../../js/conversation/typing.js';
import { errorText, isOutcomeUnknown } from '../../js/page/error-texts.js';
import { commandFor } from '../../js/notifications/example-command.js';

class Storage {
  #map = new Map();
  getItem(key) { return this.#map.get(key) ?? null; }
  setItem(key, value) { this.#map.set(key, value); }
}

const part = (seq, text) => ({ kind: 'part', seq, text });
const notification = (id, more) => ({ kind: 'notification', id, title: `title ${id}`, body: '', level: 'info', at: '2030-01-01T00:00:00Z', ...more });

test('a stream uses each part once and reports a missing part', () => {
  const stream = new StreamText();
  for (const data of [part(0, 'a'), part(1, 'b'), part(1, 'b'), part(0, 'a'), part(2, 'c')]) stream.accept(data);
  assert.equal(stream.text, 'abc');
  assert.equal(stream.parts, 3);
  assert.equal(stream.hasGap, false);
  stream.accept(part(4, 'e'));
  assert.equal(stream.hasGap, true);
});

test('a stream ends once and ignores later entries', () => {
  const stream = new StreamText();
  assert.equal(stream.accept({ kind: 'end', reason: 'aborted' }), true);
  assert.equal(stream.accept({ kind: 'end', reason: 'done' }), false);
  assert.equal(stream.accept(part(0, 'late')), false);
  assert.equal(stream.ended, 'aborted');
  assert.equal(stream.text, '');
});

test('a notification is added once, also after a reload', () => {
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

test('tabs share read marks, but each tab gets new items over its own connection', () => {
  const storage = new Storage();
  const [one, two] = [new Inbox('alice', storage), new Inbox('alice', storage)];
  one.add(notification('1'));
  two.add(notification('1'));
  one.add(notification('2'));
  one.markRead('1');
  two.syncRead();
  assert.equal(two.unread, 0);
  assert.ok(two.add(notification('2')), 'an item that another tab stored first is new in this tab');
});

test('an inbox keeps the newest items, counts the others and remembers their ids', () => {
  const storage = new Storage();
  const first = new Inbox('alice', storage);
  for (let i = 0; i < 1_000; i += 1) first.add(notification(`n${i}`, { at: new Date(i * 1000).toISOString() }));
  for (const inbox of [first, new Inbox('alice', storage)]) {
    assert.equal(inbox.list().length, 100);
    assert.equal(inbox.list()[0].id, 'n999');
    assert.equal(inbox.removed, 900);
    assert.equal(inbox.add(notification('n899')), null, 'the id of a removed item is known');
  }
  assert.equal(JSON.parse(storage.getItem(first.key)).seen.length, 500);
});

test('an item that is kept for long is not new again, and its id is known after its removal', () => {
  const inbox = new Inbox('alice', new Storage());
  const add = (id, year) => inbox.add(notification(id, { at: `${year}-01-01T00:00:00Z` }));
  add('kept', 2040);
  inbox.markRead('kept');
  for (let i = 0; i < 600; i += 1) add(`n${i}`, 2030);
  assert.equal(add('kept', 2040), null);
  assert.equal(inbox.list().find(({ id }) => id === 'kept').read, true);
  for (let i = 0; i < 100; i += 1) add(`later${i}`, 2050);
  assert.equal(inbox.list().some(({ id }) => id === 'kept'), false);
  assert.equal(add('kept', 2040), null);
});

test('of notifications with the same time the last one is the newest, also after a reload', () => {
  const storage = new Storage();
  const first = new Inbox('alice', storage);
  for (let i = 0; i < 103; i += 1) first.add(notification(`n${i}`));
  for (const inbox of [first, new Inbox('alice', storage)]) assert.deepEqual([inbox.list()[0].id, inbox.list().at(-1).id], ['n102', 'n3']);
});

test('an inbox accepts invalid stored data', () => {
  for (const stored of ['{"items":5', 'null', '[]', '{"items":[null,7,{},{"id":5}],"seen":7,"removed":"x"}']) {
    const storage = new Storage();
    storage.setItem('switchboard.inbox.alice', stored);
    const inbox = new Inbox('alice', storage);
    assert.deepEqual([inbox.list(), inbox.removed], [[], 0], stored);
  }
  const storage = new Storage();
  storage.setItem('switchboard.inbox.alice', '{"items":[{"id":"a","at":1e300,"level":"odd","title":7}]}');
  const [item] = new Inbox('alice', storage).list();
  assert.deepEqual([item.title, item.body, item.level, item.read], ['7', '', 'info', false]);
  assert.ok(Math.abs(item.at - Date.now()) < 60_000);
});

test('a time is a string or a number of milliseconds', () => {
  assert.equal(timeOf('2030-01-01T00:00:00Z'), 1_893_456_000_000);
  assert.equal(timeOf(7), 7);
  for (const bad of ['soon', '', null, undefined, true, {}, 1e300]) assert.equal(timeOf(bad), null, String(bad));
});

test('an age is in the largest whole unit', () => {
  const minute = 60_000;
  const ages = [[-5 * minute, 'now'], [0, 'now'], [59_999, 'now'], [minute, '1 minute ago'], [59.9 * minute, '59 minutes ago'],
    [60 * minute, '1 hour ago'], [23.9 * 60 * minute, '23 hours ago'], [24 * 60 * minute, 'yesterday'], [72 * 60 * minute, '3 days ago']];
  for (const [age, text] of ages) assert.equal(ago(1e12 - age, 1e12), text);
});

test('each level has a word and an icon of its own', () => {
  for (const part of ['word', 'icon']) assert.equal(new Set(Object.values(LEVELS).map((level) => level[part])).size, Object.keys(LEVELS).length);
});

test('a notice is announced with its level and the start of its text', () => {
  assert.equal(spoken({ level: 'warning', title: 'Disk full', body: '' }), 'Warning: Disk full');
  assert.equal(spoken({ level: 'error', title: 'Disk full', body: 'Free some space.' }), 'Error: Disk full. Free some space.');
  assert.equal(excerpt('😀'.repeat(5), 4), '😀😀😀…', 'characters are not split');
  assert.equal(excerpt('four', 4), 'four');
});

test('levels are mapped and unsafe links are refused', () => {
  const inbox = new Inbox('alice', new Storage());
  for (const [given, shown] of [['warn', 'warning'], ['ERROR', 'error'], ['critical', 'error'], ['odd', 'info'], [undefined, 'info']]) {
    assert.equal(inbox.add(notification(`level ${given}`, { level: given })).level, shown);
  }
  assert.equal(safeLink('/orders/7', 'https://example.org/'), 'https://example.org/orders/7');
  for (const bad of ['javascript:alert(1)', 'data:text/html,x', '', null, 7, 'http://[']) assert.equal(safeLink(bad, 'https://example.org/'), null);
});

test('missing and duplicated offsets are counted', () => {
  const check = new OffsetCheck();
  const at = (offset, more) => ({ recovered: false, streamPosition: { epoch: 'e', offset }, ...more });
  const result = () => [check.missing, check.duplicates];
  check.publication('chat:lobby', 1);
  assert.deepEqual(result(), [0, 0], 'nothing is counted before the subscription is active');
  check.subscribed('chat:lobby', at(4));
  for (const offset of [5, undefined, 6]) check.publication('chat:lobby', offset);
  check.subscribed('chat:lobby', at(6, { recovered: true }));
  check.publication('chat:lobby', 7);
  assert.deepEqual(result(), [0, 0]);
  check.publication('chat:lobby', 7);
  check.publication('chat:lobby', 10);
  assert.deepEqual(result(), [2, 1]);
  check.subscribed('chat:lobby', at(1, { streamPosition: { epoch: 'f', offset: 1 } }));
  check.publication('chat:lobby', 2);
  assert.deepEqual(result(), [2, 1], 'the check starts again with a new epoch');
  check.subscribed('stream:s', at(0, { recovered: true }));
  check.publication('stream:s', 3);
  check.publication('stream:s', 4);
  assert.deepEqual(result(), [2, 1], 'a stream that is read from its start begins with its oldest stored offset');
});

test('a missing sample ends a run of the plot', () => {
  assert.deepEqual(runs([1, null, 2, 3], 4, { width: 30, height: 14, slots: 4 }).map((run) => run.length), [1, 2]);
  assert.deepEqual(runs([null, null], 4), []);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1]), 2.5);
  assert.equal(median([]), null);
});

test('valid and invalid user names', () => {
  for (const good of ['a', 'Alice', 'a.b-c_9', 'a b', 'jürgen', '山田', '#a', 'auth0|a:b', '...', 'x'.repeat(32)]) assert.equal(nameProblem(good), '', good);
  for (const bad of ['', ' ', ' a', 'a\u00a0', 'a\nb', 'a\u200bb', 'a\u202eb', 'a\u2028b', '.', '..', 'x'.repeat(33)]) assert.notEqual(nameProblem(bad), '', bad);
});

test('the example notifies whoever is signed in, in a shell', () => {
  const seen = (user) => execFileSync('sh', ['-c', commandFor(user).replace('curl', `printf '%s\\n'`)], { encoding: 'utf8' }).split('\n').at(-2);
  for (const user of ['alice', `o'neil "x" $(id) \`id\` \\`]) assert.equal(JSON.parse(seen(user)).user, user);
});

test('the longest delay grows up to its limit', () => {
  assert.deepEqual([0, 1, 2, 3, 9, 60].map(longestDelay), [1_000, 1_500, 2_500, 4_500, 5_000, 5_000]);
});

test('texts for errors and for typing users', () => {
  assert.match(errorText({ code: 1000, message: 'unavailable' }), /not available/);
  assert.equal(errorText({ code: 1999, message: 'no idea' }), 'No idea.');
  assert.equal(errorText({ code: 418, message: 'As you wished.' }), 'As you wished.');
  assert.notEqual(errorText(undefined), '');
  assert.equal(isOutcomeUnknown({ code: 1001 }), true);
  assert.equal(isOutcomeUnknown({ code: 1000 }), false);
  assert.deepEqual(typingParts([]), []);
  assert.deepEqual(typingParts(['a', 'b']), ['a', ' and ', 'b', ' are writing']);
  assert.equal(typingParts(['a', 'b', 'c']).join(''), 'a and 2 others are writing');
});

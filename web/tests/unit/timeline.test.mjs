import assert from 'node:assert/strict';
import test from 'node:test';
import { Timeline } from '../../js/conversation/timeline.js';

const message = (offset, id, from = 'bob', text = `text of ${id}`) => ({ offset, data: { kind: 'message', id, from, text } });
const stream = (offset, id) => ({ offset, data: { kind: 'stream', id, from: 'chatbot', channel: `stream:${id}` } });
const ids = (timeline) => timeline.list().map(({ id }) => id);

/** All orders of a short list. */
function* permutations(list) {
  if (list.length < 2) yield list;
  for (let i = 0; i < list.length; i += 1) {
    for (const rest of permutations([...list.slice(0, i), ...list.slice(i + 1)])) yield [list[i], ...rest];
  }
}

test('order and repetition of publications do not change the list', () => {
  const publications = [message(1, 'a'), stream(2, 's'), message(3, 'b'), message(4, 's', 'chatbot', 'the whole answer')];
  for (const order of permutations(publications)) {
    const timeline = new Timeline('alice');
    timeline.enterEpoch('e');
    for (const publication of [...order, ...order]) timeline.apply(publication);
    assert.deepEqual(ids(timeline), ['a', 's', 'b']);
    assert.equal(timeline.get('s').text, 'the whole answer');
    assert.equal(timeline.get('s').state, 'done');
  }
});

test('other data than messages and streams is ignored', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  for (const data of [null, 7, 'text', {}, { kind: 'typing', from: 'bob' }, { kind: 'message' }, { kind: 'message', id: 5 }]) {
    assert.equal(timeline.apply({ offset: 1, data }), null);
  }
  assert.deepEqual(timeline.list(), []);
});

const draft = (timeline, id, text = 'hi') => timeline.draft({ id, text, at: 0 });

test('a publication with the id of a draft replaces the draft, whose element stays', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  draft(timeline, 'm1');
  const { key } = draft(timeline, 'm2');
  assert.equal(timeline.list().length, 2);
  timeline.apply(message(1, 'm2', 'alice', 'hi'));
  timeline.apply(message(2, 'm3', 'alice', 'hi'));
  assert.deepEqual(ids(timeline), ['m2', 'm3', 'm1']);
  assert.equal(timeline.get('m2').key, key);
  timeline.apply(message(3, 'm1', 'bob', 'hi'));
  assert.equal(timeline.list().at(-1).state, 'sending', 'the message of another author does not replace the draft');
  const keys = timeline.list().map((entry) => entry.key);
  assert.equal(new Set(keys).size, keys.length);
});

test('a line waits at the end; a refused one stays where it was said', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  timeline.apply(message(1, 'a'));
  const [refused, waiting] = [draft(timeline, 'm1'), draft(timeline, 'm2')];
  timeline.apply(message(2, 'b'));
  timeline.settle(refused);
  timeline.apply(message(3, 'c'));
  assert.deepEqual(ids(timeline), ['a', 'm1', 'b', 'c', 'm2']);
  timeline.settleHere(waiting);
  timeline.apply(message(4, 'd'));
  assert.deepEqual(ids(timeline), ['a', 'm1', 'b', 'c', 'm2', 'd']);
  timeline.unsettle(refused);
  assert.deepEqual(ids(timeline), ['a', 'b', 'c', 'm2', 'd', 'm1']);
  timeline.discard(refused);
  timeline.discard(waiting);
  assert.deepEqual(ids(timeline), ['a', 'b', 'c', 'd']);
});

test('a refused line of an earlier load of the page is put where it was said', () => {
  const timeline = new Timeline('alice');
  const line = timeline.draft({ id: 'm1', text: 'hi', at: 0, after: { epoch: 'e', offset: 2 }, state: 'refused' });
  timeline.settle(line);
  timeline.enterEpoch('e');
  for (const offset of [3, 2, 1]) timeline.apply(message(offset, `e${offset}`));
  assert.deepEqual(ids(timeline), ['e1', 'e2', 'm1', 'e3']);
});

test('a line that was said before the first subscribe and is refused comes after the history', () => {
  const timeline = new Timeline('alice');
  const line = draft(timeline, 'm1');
  timeline.enterEpoch('e');
  timeline.apply(message(1, 'a'));
  timeline.settle(line);
  timeline.apply(message(2, 'b'));
  assert.deepEqual(ids(timeline), ['a', 'm1', 'b']);
});

test('times come from the data, so they survive a reload', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  const at = '2026-11-27T10:00:00.000Z';
  timeline.apply({ offset: 1, data: { kind: 'message', id: 'a', from: 'bob', text: 'x', at } }, 5);
  timeline.apply({ offset: 2, data: { kind: 'message', id: 'b', from: 'bob', text: 'x' } }, 5);
  timeline.apply({ offset: 3, data: { kind: 'message', id: 'c', from: 'bob', text: 'x', at: 'no time' } });
  assert.deepEqual(timeline.list().map((entry) => entry.at), [Date.parse(at), 5, null]);
});

test('whom an answer answers is known in every order, and so is who stopped it', () => {
  const announcement = { offset: 1, data: { kind: 'stream', id: 's', from: 'bot', channel: 'stream:s', for: 'bob', at: '2026-11-27T10:00:00.000Z' } };
  const end = { offset: 2, data: { kind: 'message', id: 's', from: 'bot', text: 'I beg', stream: 's', reason: 'stopped', by: 'carol', at: '2026-11-27T10:00:09.000Z' } };
  for (const order of [[announcement, end], [end, announcement]]) {
    const timeline = new Timeline('alice');
    timeline.enterEpoch('e');
    for (const publication of order) timeline.apply(publication);
    const { answers, by, state, at } = timeline.get('s');
    assert.deepEqual({ answers, by, state, at }, { answers: 'bob', by: 'carol', state: 'stopped', at: Date.parse('2026-11-27T10:00:00.000Z') });
  }
});

test('the oldest entries are forgotten and can be read again; running answers and own lines stay', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  timeline.apply(stream(1, 's'));
  for (let offset = 2; offset <= 10; offset += 1) timeline.apply(message(offset, `m${offset}`));
  timeline.forgetOldest(5);
  assert.deepEqual(ids(timeline), ['s', 'm6', 'm7', 'm8', 'm9', 'm10']);
  assert.equal(timeline.oldestOffset, 6, 'the history is read again from here');
  for (let offset = 1; offset <= 5; offset += 1) timeline.apply(offset === 1 ? stream(1, 's') : message(offset, `m${offset}`));
  assert.deepEqual(ids(timeline), ['s', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9', 'm10']);
});

test('other publications count as read, so that a page of them does not stop the reader', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  timeline.apply({ offset: 7, data: { kind: 'poll' } });
  assert.equal(timeline.oldestOffset, 7);
});

test('entries of a new epoch come after those of the old one, although offsets start again', () => {
  const timeline = new Timeline('alice');
  assert.equal(timeline.enterEpoch('one'), false);
  timeline.apply(message(7, 'old'));
  assert.equal(timeline.enterEpoch('two'), true);
  timeline.apply(message(1, 'new'));
  assert.deepEqual(ids(timeline), ['old', 'new']);
  assert.equal(timeline.oldestOffset, 1);
});

test('an incomplete answer shows its state, live and from the history', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  timeline.apply(stream(1, 's'));
  const incomplete = (id) => ({ kind: 'message', id, from: 'chatbot', text: 'I begin', stream: id, reason: 'failed' });
  timeline.apply({ offset: 2, data: incomplete('s') });
  timeline.apply({ offset: 3, data: incomplete('t') });
  assert.deepEqual(timeline.list().map(({ state }) => state), ['failed', 'failed']);
});

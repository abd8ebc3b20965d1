import assert from 'node:assert/strict';
import test from 'node:test';
import { Timeline } from '../../js/timeline.js';

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

test('a publication with the id of a draft replaces the draft', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  timeline.draft('m1', 'hi');
  timeline.draft('m2', 'hi');
  assert.equal(timeline.list().length, 2);
  timeline.apply(message(1, 'm2', 'alice', 'hi'));
  timeline.apply(message(2, 'm3', 'alice', 'hi'));
  assert.deepEqual(ids(timeline), ['m2', 'm3', 'm1']);
  timeline.apply(message(3, 'm1', 'bob', 'hi'));
  assert.equal(timeline.list().at(-1).state, 'sending', 'the message of another author does not replace the draft');
});

test('a draft with an unknown outcome is replaced when its publication arrives', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  const draft = timeline.draft('m1', 'did it arrive?');
  assert.equal(timeline.fail(draft, 'no answer', true), true);
  assert.equal(timeline.list()[0].state, 'unknown');
  timeline.apply(message(1, 'm1', 'alice', 'did it arrive?'));
  assert.deepEqual(ids(timeline), ['m1']);
});

test('a refused draft stays until it is discarded', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  const draft = timeline.draft('m1', 'hi');
  timeline.fail(draft, 'no', false);
  assert.deepEqual(timeline.list().map(({ state }) => state), ['refused']);
  timeline.discard(draft);
  assert.deepEqual(timeline.list(), []);
});

test('a failure after the publication is ignored', () => {
  const timeline = new Timeline('alice');
  timeline.enterEpoch('e');
  const draft = timeline.draft('m1', 'hi');
  timeline.apply(message(1, 'm1', 'alice', 'hi'));
  assert.equal(timeline.fail(draft, 'no', true), false);
  assert.deepEqual(ids(timeline), ['m1']);
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

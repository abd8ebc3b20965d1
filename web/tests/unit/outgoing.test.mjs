import assert from 'node:assert/strict';
import test from 'node:test';
import { fakeTimers, memoryStorage } from './page.mjs';
import { MAX_ATTEMPTS, MAX_REFUSALS } from '../../js/outgoing/delivery.js';
import { FROM_ADDRESS, MAX_AGE, MAX_LINES, Outbox } from '../../js/outgoing/outbox.js';
import { DraftStore } from '../../js/outgoing/draft-store.js';
import { Outgoing } from '../../js/outgoing/outgoing.js';
import { Timeline } from '../../js/conversation/timeline.js';

const BROKEN = { code: 11, message: 'connection closed' };
const settled = async () => { for (let i = 0; i < 20; i += 1) await new Promise(setImmediate); };

/** The lines of one tab. `answer` is called with each line that is sent. */
function tab({ answer = async () => {}, storage = memoryStorage(), user = 'alice', arrived = null } = {}) {
  const timeline = new Timeline(user);
  timeline.enterEpoch('e');
  const sent = [];
  const events = [];
  const outbox = new Outbox(user, 'chat:lobby', storage);
  const send = (line) => {
    sent.push(line.text);
    return answer(line);
  };
  const outgoing = new Outgoing(timeline, outbox, send, (name, detail) => events.push([name, detail]));
  outgoing.restore(arrived);
  const appear = ({ id, text }, offset) => {
    timeline.apply({ offset, data: { kind: 'message', id, from: user, text } });
    outgoing.save();
  };
  const states = () => outgoing.lines().map(({ text, state }) => `${text} ${state}`);
  return { timeline, outgoing, outbox, sent, events, appear, states, storage };
}

test('lines said without a connection are sent once and in order when it is there', async () => {
  const { outgoing, sent, states, timeline } = tab();
  for (const text of ['one', 'two', 'three']) outgoing.say(text);
  assert.deepEqual(states(), ['one waiting', 'two waiting', 'three waiting']);
  await outgoing.open();
  outgoing.close();
  await outgoing.open();
  assert.deepEqual(sent, ['one', 'two', 'three']);
  assert.deepEqual(states(), []);
  assert.deepEqual(timeline.list().map(({ state }) => state), ['sent', 'sent', 'sent'], 'the lines stay until they appear in the channel');
});

test('a line is sent when the one before it is answered', async () => {
  const answers = [];
  const { outgoing, sent } = tab({ answer: () => new Promise((resolve) => answers.push(resolve)) });
  await outgoing.open();
  outgoing.say('one');
  outgoing.say('two');
  assert.deepEqual(sent, ['one']);
  answers[0]();
  await settled();
  assert.deepEqual(sent, ['one', 'two']);
});

test('a call without an outcome is made again with its id when the connection is back', async () => {
  const ids = [];
  let isBroken = true;
  const { outgoing, states } = tab({ answer: async ({ id }) => {
    ids.push(id);
    if (!isBroken) return;
    outgoing.close();
    throw BROKEN;
  } });
  await outgoing.open();
  await outgoing.say('hello');
  assert.deepEqual(states(), ['hello waiting']);
  isBroken = false;
  await outgoing.open();
  assert.deepEqual(ids, [ids[0], ids[0]]);
  assert.deepEqual(states(), []);
});

test('a line that appears in the channel is not sent again', async () => {
  const { outgoing, sent, appear, storage } = tab({ answer: async () => { throw BROKEN; } });
  outgoing.say('hello');
  appear(outgoing.lines()[0], 1);
  await outgoing.open();
  assert.deepEqual(sent, []);
  assert.equal(storage.getItem('switchboard.outbox.chat:lobby.alice'), null);
});

for (const [error, calls, state, why] of [
  [{ code: 1 }, MAX_ATTEMPTS, 'unknown', 'without an answer'],
  [{ code: 1000, temporary: true }, MAX_REFUSALS, 'refused', 'that is refused for a temporary reason'],
  [{ code: 418, message: 'As you wished.' }, 1, 'refused', 'that is refused'],
]) {
  test(`a line ${why} is sent ${calls} times, with pauses, and then waits for its user`, async (t) => {
    const pass = fakeTimers(t);
    const { outgoing, sent, states, events } = tab({ answer: async () => { throw error; } });
    await outgoing.open();
    await outgoing.say('hello');
    let pauses = 0;
    for (let waited = 0; waited < 200; waited += 1) {
      const before = sent.length;
      pass(1_000);
      await settled();
      if (sent.length > before) pauses += 1;
    }
    assert.equal(sent.length, calls);
    assert.equal(pauses, calls - 1);
    assert.deepEqual(states(), [`hello ${state}`]);
    assert.equal(events.filter(([name]) => name === 'refused').length, 1);
    await outgoing.open();
    assert.equal(sent.length, calls, 'a new connection does not send it');
  });
}

test('a connection that breaks at every call is not broken for ever', async () => {
  const { outgoing, sent, states } = tab({ answer: async () => {
    outgoing.close();
    throw BROKEN;
  } });
  outgoing.say('poison');
  for (let connects = 0; connects < 30; connects += 1) await outgoing.open();
  assert.equal(sent.length, MAX_ATTEMPTS);
  assert.deepEqual(states(), ['poison unknown']);
});

test('a new line does not shorten the pause of the line before it', async () => {
  const { outgoing, sent } = tab({ answer: async () => { throw { code: 1 }; } });
  await outgoing.open();
  await outgoing.say('one');
  for (let i = 0; i < 10; i += 1) await outgoing.say(`more ${i}`);
  outgoing.close();
  assert.deepEqual(sent, ['one']);
});

test('lines survive a reload with their ids and order; another user of the tab does not get them', async () => {
  const first = tab();
  for (const text of ['one', 'two']) first.outgoing.say(text);
  const ids = first.outgoing.lines().map(({ id }) => id);
  assert.deepEqual(tab({ storage: first.storage, user: 'bob' }).states(), []);
  const second = tab({ storage: first.storage });
  assert.deepEqual(second.outgoing.lines().map(({ id }) => id), ids);
  await second.outgoing.open();
  assert.deepEqual(second.sent, ['one', 'two']);
  assert.deepEqual(tab({ storage: first.storage }).states(), []);
});

test('a refused line survives a reload with its reason and is not sent by itself', async () => {
  const first = tab({ answer: async () => { throw { code: 418, message: 'As you wished.' }; } });
  await first.outgoing.open();
  await first.outgoing.say('error');
  const second = tab({ storage: first.storage });
  await second.outgoing.open();
  assert.deepEqual(second.sent, []);
  const [line] = second.outgoing.lines();
  assert.deepEqual([line.state, line.note], ['refused', 'As you wished.']);
  await second.outgoing.retry(line);
  assert.deepEqual(second.sent, ['error']);
});

test(`${MAX_LINES} lines wait at most; a further one is not accepted`, async () => {
  const { outgoing, states } = tab();
  for (let i = 0; i < MAX_LINES; i += 1) assert.notEqual(outgoing.say(`line ${i}`), null);
  assert.equal(outgoing.say('one more'), null);
  assert.equal(states().length, MAX_LINES);
  await outgoing.open();
  assert.notEqual(outgoing.say('one more'), null);
});

test('a line that waited for an hour is not sent by itself, and does not vanish', async (t) => {
  const storage = memoryStorage();
  tab({ storage }).outgoing.say('old');
  const now = Date.now();
  t.mock.method(Date, 'now', () => now + MAX_AGE);
  const { outgoing, sent, states } = tab({ storage });
  await outgoing.open();
  assert.deepEqual(sent, []);
  assert.deepEqual(states(), ['old refused']);
  const [line] = outgoing.lines();
  assert.match(line.note, /within an hour/);
  await outgoing.retry(line);
  assert.deepEqual(sent, ['old']);
});

test('invalid stored lines are ignored', () => {
  const storage = memoryStorage();
  const good = { id: 'a'.repeat(32), text: 'good', at: Date.now() };
  const bad = [null, 7, {}, { ...good, id: '<b>' }, { ...good, text: ' ' }, { ...good, text: 5 }, { ...good, at: null }];
  for (const stored of ['{', '7', JSON.stringify([...bad, good])]) storage.setItem('switchboard.outbox.chat:lobby.alice', stored);
  assert.deepEqual(tab({ storage }).states(), ['good waiting']);
});

test('without storage the lines are sent nevertheless', async () => {
  const fails = () => { throw new Error('no storage'); };
  const { outgoing, sent } = tab({ storage: { getItem: fails, setItem: fails, removeItem: fails } });
  await outgoing.open();
  await outgoing.say('hello');
  assert.deepEqual(sent, ['hello']);
});

test('a tab that moves to another node and comes back has each line once', () => {
  const here = tab();
  for (const text of ['one', 'two', 'three']) here.outgoing.say(text);
  here.outgoing.lines().forEach((line, i) => { line.at -= 10 - i; });
  here.outgoing.save();
  const [one, two] = here.outgoing.lines();
  here.outbox.markMoved([one, two]);
  const there = tab({ arrived: [one, two] });
  assert.deepEqual(there.states(), ['one refused', 'two refused'], 'at the other node their user sends them');
  there.outgoing.discard(there.outgoing.lines()[0]);
  const back = tab({ storage: here.storage, arrived: there.outgoing.lines() });
  assert.deepEqual(back.states(), ['two waiting', 'three waiting'], 'what was discarded there does not come back');
});

test('a line from an address is not sent by itself, also after a reload, unless this tab took it along', async () => {
  const storage = memoryStorage();
  const line = { id: 'a'.repeat(32), text: 'not mine', at: Date.now(), after: null };
  for (const arrived of [[line], null, [line]]) {
    const there = tab({ storage, arrived });
    await there.outgoing.open();
    assert.deepEqual([there.states(), there.sent], [['not mine refused'], []]);
    assert.equal(there.outgoing.lines()[0].note, FROM_ADDRESS);
  }
  const here = tab();
  here.outgoing.say('mine');
  const [mine] = here.outgoing.lines();
  here.outbox.markMoved([mine]);
  const back = tab({ storage: here.storage, arrived: [{ ...mine, text: 'changed on the way' }] });
  await back.outgoing.open();
  assert.deepEqual(back.sent, ['mine']);
});

test('a user who signs out leaves no lines and no text in the tab', () => {
  const { storage, outgoing, outbox } = tab();
  const draft = new DraftStore('alice', 'chat:lobby', null, storage);
  draft.write('half a sentence');
  outgoing.say('one');
  outbox.markMoved(outgoing.lines());
  draft.markMoved();
  outbox.clear();
  draft.clear();
  assert.equal(storage.length, 0);
});

test('a tab that does not arrive at another node still has its lines', () => {
  const here = tab();
  here.outgoing.say('one');
  here.outbox.markMoved(here.outgoing.lines());
  assert.deepEqual(tab({ storage: here.storage }).states(), ['one waiting']);
});

import assert from 'node:assert/strict';
import test, { after, afterEach, before, beforeEach } from 'node:test';
import { answered, entries, launch, lossy, openTab, ready, say, sees, signIn } from './chromium.mjs';
import { expected, record, since } from './conversation.mjs';
import { history, notify, publish, unique } from './stack.mjs';

const LOBBY = 'chat:lobby';
const LONG = 'tell me a story';

let browser;
let contexts = [];
let tabs = [];

before(async () => { browser = await launch(); });
after(() => browser?.close());
beforeEach(() => { tabs = []; });
afterEach(async () => {
  const problems = tabs.flatMap((tab) => tab.problems);
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
  assert.deepEqual(problems, [], 'no errors and no policy violations in any tab');
});

async function newContext(options) {
  const context = await browser.newContext(options);
  contexts.push(context);
  return context;
}

async function tabOf(user, context) {
  const tab = await openTab(context ?? await newContext());
  tabs.push(tab);
  await signIn(tab, user);
  return tab;
}

const plain = (list) => list.map(({ id, from, text }) => ({ id, from, text }));

test('two people and the bot talk, and a reload finds the same conversation', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  await one.locator(`#people [data-user="${bob}"]`).waitFor();
  const [hello, reply] = [unique(`@${bob} hello`), unique(`@${alice} reply`)];
  await say(one, hello);
  const first = await sees(two, hello, alice);
  await say(two, reply);
  await sees(one, reply, bob);
  await say(one, 'help');
  const question = await sees(two, 'help', alice);
  const answer = await answered(one, question);
  assert.equal(await answered(two, question), answer);

  const shown = since(plain(await entries(one)), first);
  assert.deepEqual(since(plain(await entries(two)), first), shown);
  assert.ok(shown.find(({ id }) => id === answer).text.length > 10);

  await one.reload();
  await ready(one);
  await sees(one, hello, alice);
  const held = since(expected(await history(LOBBY)), first).slice(0, shown.length);
  assert.deepEqual(since(plain(await entries(one)), first).slice(0, shown.length), held);
});

test('who leaves is gone from the list', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  const person = one.locator(`#people [data-user="${bob}"]`);
  await person.waitFor();
  await two.locator('#sign-out').click();
  await person.waitFor({ state: 'detached' });
  await two.locator('#name').waitFor();
});

test('others see that one is writing', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  await one.locator('#line').pressSequentially('a few words');
  await two.locator('#typing.on', { hasText: `${alice} is writing` }).waitFor();
});

test('a notification reaches both tabs of its user within a second, once', async () => {
  const user = unique('alice');
  const context = await newContext();
  const [one, two] = [await tabOf(user, context), await tabOf(user, context)];
  const title = unique('Deployment');
  const start = performance.now();
  await notify(user, title, 'warning');
  const toast = (tab) => tab.locator('.toast.level-warning', { hasText: title }).waitFor({ timeout: 5_000 });
  await Promise.all([toast(one), toast(two)]);
  const took = performance.now() - start;
  assert.ok(took < 1_000, `both tabs showed it after ${Math.round(took)} ms`);
  for (const tab of [one, two]) await tab.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();

  await one.locator('#bell').click();
  await one.locator('#inbox .notice', { hasText: title }).waitFor();
  await one.locator('#mark-read').click();
  await two.getByRole('button', { name: 'Notifications', exact: true }).waitFor();

  await two.reload();
  await ready(two);
  await two.locator('#bell').click();
  await two.locator('#inbox .notice', { hasText: title }).waitFor();
  assert.equal(await two.locator('#inbox .notice').count(), 1);
  assert.equal(await two.locator('#inbox .notice.unread').count(), 0);
});

test('a notification sent while its user was away is there on return; one that is repeated is shown once', async () => {
  const user = unique('alice');
  const title = unique('Invoice');
  await notify(user, title);
  const tab = await tabOf(user);
  await tab.locator('.toast', { hasText: title }).waitFor();
  const repeated = { kind: 'notification', id: unique('n'), title: unique('Twice'), body: '', level: 'info', at: new Date().toISOString() };
  const last = { ...repeated, id: unique('n'), title: unique('Last') };
  for (const data of [repeated, repeated, last]) await publish(`#${user}`, data);
  await tab.locator('.toast', { hasText: last.title }).waitFor();
  assert.equal(await tab.locator('.toast', { hasText: repeated.title }).count(), 1);
  await tab.locator('#bell').click();
  assert.equal(await tab.locator('.notice', { hasText: repeated.title }).count(), 1);
});

test('a line whose answer is lost can be sent again: it stands there once and is answered once', async () => {
  const context = await newContext();
  const network = await lossy(context);
  const user = unique('alice');
  const tab = await tabOf(user, context);
  const text = unique('good question');
  network.losesAnswers = true;
  await say(tab, text);
  await held((lines) => lines.some((line) => line.text === text && line.id));
  network.cut();
  await tab.getByRole('button', { name: 'Send again' }).click();
  network.mend();
  await ready(tab);
  const first = await sees(tab, text, user);
  await answered(tab, first);

  await say(tab, 'help');
  const last = await sees(tab, 'help', user);
  await answered(tab, last);
  const lines = await held((lines) => since(lines, last).length === 2);
  const said = since(lines, first).map(({ from, id }) => (from === 'bot' ? 'bot' : id));
  assert.deepEqual(said, [first, 'bot', last, 'bot']);
  assert.equal(lines.filter((line) => line.text === text).length, 1);
});

test('the line is cut for 5 s while the bot streams: nothing missing, doubled or out of order', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  const mark = unique('@nobody mark');
  await say(one, mark);
  const first = await sees(one, mark, alice);
  await say(one, LONG);
  const question = await sees(one, LONG, alice);
  const streaming = one.locator(`#messages > li[data-id="${question}"] ~ li.bot[data-state="streaming"][data-parts]`);
  await streaming.waitFor();
  const id = await streaming.getAttribute('data-id');
  const entry = one.locator(`#messages > li[data-id="${id}"]`);
  await record(one, id);

  await one.locator('#cut').click();
  await one.waitForSelector('body[data-link="cut"]');
  const textAtCut = await entry.locator('.entry-text').textContent();
  const meanwhile = [unique('@nobody while you were away'), unique('@nobody and one more')];
  for (const text of meanwhile) {
    await say(two, text);
    await sees(two, text, bob);
  }
  assert.equal(await one.locator('.entry', { hasText: meanwhile[0] }).count(), 0, 'a cut line carries nothing');

  await ready(one);
  for (const text of meanwhile) await sees(one, text, bob);
  await one.waitForSelector(`#messages > li[data-id="${id}"][data-state="done"]`, { timeout: 60_000 });
  await two.waitForSelector(`#messages > li[data-id="${id}"][data-state="done"]`, { timeout: 60_000 });
  await one.waitForFunction(() => Number(document.getElementById('recovered').textContent) > 0);

  for (const tab of [one, two]) {
    for (const count of ['#missing', '#doubled']) assert.equal(await tab.locator(count).textContent(), '0', count);
  }

  const held = await settled(first);
  assert.deepEqual(since(plain(await entries(one)), first), held);
  assert.deepEqual(since(plain(await entries(two)), first), held);
  const text = held.find((line) => line.id === id).text;
  assert.ok(text.length > textAtCut.length, 'the bot went on while the line was cut');
  await assertGrew(one, id, text);
});

/** The conversation in the history, as soon as `enough` accepts it. */
async function held(enough) {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const lines = expected(await history(LOBBY));
    if (enough(lines)) return lines;
  }
  throw new Error('the history does not become what it should');
}

/** The conversation since `first`, as soon as the bot has answered every message in it. */
async function settled(first) {
  return since(await held((lines) => since(lines, first).every(({ text }) => text !== null)), first);
}

/** Each shown text is a prefix of the final one, and none is shorter than the one before. */
async function assertGrew(tab, id, text) {
  const shown = await tab.evaluate(() => globalThis.shown);
  assert.ok(shown.length > 3, 'the answer grew on the page');
  for (const [index, each] of shown.entries()) {
    assert.ok(text.startsWith(each), `text ${index} on the page begins the answer: ${JSON.stringify(each)}`);
    assert.ok(index === 0 || each.length >= shown[index - 1].length, `text ${index} does not shrink`);
  }
  assert.equal(await tab.locator(`#messages > li[data-id="${id}"][data-gap]`).count(), 0);
  const parts = (await history(`stream:${id}`)).map(({ data }) => data).filter(({ kind }) => kind === 'part');
  assert.equal(parts.map((part) => part.text).join('').trim(), text.trim(), 'the parts make the answer');
}

// The demo as people use it: a conversation with the bot, notifications, lost connections.

import assert from 'node:assert/strict';
import test from 'node:test';
import { waitForAnswer, entries, faultyNetwork, ready, say, waitForEntry } from './chromium.mjs';
import { expected, record, since } from './conversation.mjs';
import { history, notify, publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const LOBBY = 'chat:lobby';
const LONG = 'tell me a story';

const { newContext, signedIn } = tabsOfFile();
const tabOf = (user, context) => signedIn({ user, context });

const plain = (list) => list.map(({ id, from, text }) => ({ id, from, text }));

test('two users and the bot chat, and a reload shows the same conversation', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  await one.locator(`#people [data-user="${bob}"]`).waitFor();
  const [hello, reply] = [unique(`@${bob} hello`), unique(`@${alice} reply`)];
  await say(one, hello);
  const first = await waitForEntry(two, hello, alice);
  await say(two, reply);
  await waitForEntry(one, reply, bob);
  await say(one, 'help');
  const question = await waitForEntry(two, 'help', alice);
  const answer = await waitForAnswer(one, question);
  assert.equal(await waitForAnswer(two, question), answer);

  const shown = since(plain(await entries(one)), first);
  assert.deepEqual(since(plain(await entries(two)), first), shown);
  assert.ok(shown.find(({ id }) => id === answer).text.length > 10);

  await one.reload();
  await ready(one);
  await waitForEntry(one, hello, alice);
  const stored = since(expected(await history(LOBBY)), first).slice(0, shown.length);
  assert.deepEqual(since(plain(await entries(one)), first).slice(0, shown.length), stored);
});

test('a user who signs out disappears from the list', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  const person = one.locator(`#people [data-user="${bob}"]`);
  await person.waitFor();
  await two.locator('#sign-out').click();
  await person.waitFor({ state: 'detached' });
  await two.locator('#name').waitFor();
});

test('other users see who is typing', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  await one.locator('#message-field').pressSequentially('a few words');
  await two.locator('#typing.on', { hasText: `${alice} is writing` }).waitFor();
});

test('a notification arrives once in both tabs of its user, within a second', async () => {
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

test('a notification sent while its user was away is shown at the return, and a repeated one is shown once', async () => {
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

test('a message whose answer is lost needs no click: it is stored once and answered once', async () => {
  const context = await newContext();
  const network = await faultyNetwork(context);
  const user = unique('alice');
  const tab = await tabOf(user, context);
  const text = unique('@bot good question');
  network.dropsAnswers = true;
  await say(tab, text);
  await waitForHistory((lines) => lines.some((line) => line.text === text && line.id));
  network.cut();
  await tab.locator('.entry', { hasText: text }).getByText('It will be sent when the connection is back.').waitFor();
  network.restore();
  await ready(tab);
  const first = await waitForEntry(tab, text, user);
  await waitForAnswer(tab, first);

  await say(tab, 'help');
  const last = await waitForEntry(tab, 'help', user);
  await waitForAnswer(tab, last);
  const lines = await waitForHistory((lines) => since(lines, last).length === 2);
  const said = since(lines, first).map(({ from, id }) => (from === 'bot' ? 'bot' : id));
  assert.deepEqual(said, [first, 'bot', last, 'bot']);
  assert.equal(lines.filter((line) => line.text === text).length, 1);
});

test('the connection is cut for 5 s while the bot writes: nothing is missing, duplicated or out of order', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await tabOf(alice), await tabOf(bob)];
  const mark = unique('@nobody mark');
  await say(one, mark);
  const first = await waitForEntry(one, mark, alice);
  await say(one, LONG);
  const question = await waitForEntry(one, LONG, alice);
  const streaming = one.locator(`#messages > li[data-id="${question}"] ~ li.bot[data-state="streaming"][data-parts]`);
  await streaming.waitFor();
  const id = await streaming.getAttribute('data-id');
  const entry = one.locator(`#messages > li[data-id="${id}"]`);
  await record(one, id);

  await one.locator('#cut').click();
  await one.waitForSelector('body[data-connection="cut"]');
  const textAtCut = await entry.locator('.entry-text').textContent();
  const meanwhile = [unique('@nobody while you were away'), unique('@nobody and one more')];
  for (const text of meanwhile) {
    await say(two, text);
    await waitForEntry(two, text, bob);
  }
  assert.equal(await one.locator('.entry', { hasText: meanwhile[0] }).count(), 0, 'nothing arrives during the cut');

  await ready(one);
  for (const text of meanwhile) await waitForEntry(one, text, bob);
  await one.waitForSelector(`#messages > li[data-id="${id}"][data-state="done"]`, { timeout: 60_000 });
  await two.waitForSelector(`#messages > li[data-id="${id}"][data-state="done"]`, { timeout: 60_000 });
  await one.waitForFunction(() => Number(document.getElementById('recovered').textContent) > 0);

  for (const tab of [one, two]) {
    for (const count of ['#missing', '#duplicates']) assert.equal(await tab.locator(count).textContent(), '0', count);
  }

  const stored = await answeredHistory(first);
  assert.deepEqual(since(plain(await entries(one)), first), stored);
  assert.deepEqual(since(plain(await entries(two)), first), stored);
  const text = stored.find((line) => line.id === id).text;
  assert.ok(text.length > textAtCut.length, 'the bot continued during the cut');
  await assertGrew(one, id, text);
});

/** The conversation in the history, as soon as `enough` accepts it. */
async function waitForHistory(enough) {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const lines = expected(await history(LOBBY));
    if (enough(lines)) return lines;
  }
  throw new Error('the history did not reach the expected state within 30 s');
}

/** The conversation since `first`, as soon as the bot has answered every message in it. */
async function answeredHistory(first) {
  return since(await waitForHistory((lines) => since(lines, first).every(({ text }) => text !== null)), first);
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

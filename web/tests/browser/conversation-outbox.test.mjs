// Lines that are said without a connection, or whose answer is lost.

import assert from 'node:assert/strict';
import test from 'node:test';
import { faultyNetwork, ready, say, waitForEntry } from './chromium.mjs';
import { expected } from './conversation.mjs';
import { LOBBY } from './demo-gateway.mjs';
import { history, page, publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, open: openTab, signedIn } = tabsOfFile();

async function open() {
  const context = await newContext();
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  return { tab, network, user: tab.user };
}

async function cut(tab, network) {
  network.cut();
  await tab.waitForSelector('body[data-connection="waiting"]');
}

const entryOf = (tab, text) => tab.locator('#messages > li', { hasText: text });
const storedWith = async (texts) => expected(await history(LOBBY)).map(({ text }) => text).filter((text) => texts.includes(text));

/** The lines have arrived, once and in order, each with one id in all its calls. */
async function arrived({ tab, network, user }, texts) {
  for (const text of texts) await waitForEntry(tab, text, user);
  assert.deepEqual(await storedWith(texts), texts);
  const calls = network.callsOf('chatbot.say');
  for (const text of texts) assert.equal(new Set(calls.filter((call) => call.text === text).map(({ id }) => id)).size, 1, text);
  const shown = await tab.$$eval('#messages > li .entry-text', (list) => list.map(({ textContent }) => textContent));
  assert.deepEqual(shown.filter((text) => texts.includes(text)), texts);
}

test('lines said without a connection say that they will be sent, and are sent once and in order', async () => {
  const { tab, network, user } = await open();
  await cut(tab, network);
  const texts = ['one', 'two', 'three'].map((word) => unique(`@nobody ${word}`));
  for (const text of texts) {
    await say(tab, text);
    await entryOf(tab, text).getByText('It will be sent when the connection is back.').waitFor();
  }
  await tab.locator('#announcements', { hasText: 'It will be sent when the connection is back.' }).waitFor({ state: 'attached' });
  assert.equal(await tab.getByRole('button', { name: 'Send again' }).count(), 0);
  network.restore();
  await arrived({ tab, network, user }, texts);
  assert.equal(await tab.locator('#messages > li:not([data-id])').count(), 0);
});

test('a reload keeps the lines that wait and the text in the field', async () => {
  const { tab, network, user } = await open();
  await cut(tab, network);
  const texts = ['before', 'the reload'].map((word) => unique(`@nobody ${word}`));
  for (const text of texts) await say(tab, text);
  await tab.locator('#message-field').fill('half a sentence');
  await tab.reload();
  for (const text of texts) await entryOf(tab, text).getByText('It will be sent').waitFor();
  assert.equal(await tab.locator('#message-field').inputValue(), 'half a sentence');
  network.restore();
  await arrived({ tab, network, user }, texts);
  await tab.reload();
  await ready(tab);
  await waitForEntry(tab, texts[1], user);
  assert.equal(await tab.locator('#messages > li:not([data-id])').count(), 0);
});

test('a call whose outcome is unknown is made again by itself, with its id', async () => {
  const { tab, network, user } = await open();
  let calls = 0;
  network.answers['chatbot.say'] = () => (++calls < 3 ? { error: { code: 1001, message: 'timeout' } } : null);
  const texts = [unique('@nobody again')];
  await say(tab, texts[0]);
  await arrived({ tab, network, user }, texts);
  assert.equal(network.callsOf('chatbot.say').length, 3);
});

test('a refused line keeps its place and its reason, also after a reload, until it is discarded', async () => {
  const { tab } = await open();
  await say(tab, 'error');
  const refused = tab.locator('#messages > li[data-state="refused"]');
  await refused.waitFor();
  const reason = await refused.locator('.entry-note-text').textContent();
  const later = unique('later');
  await publish(LOBBY, { kind: 'message', id: unique('id'), from: 'bob', text: later, at: new Date().toISOString() });
  await waitForEntry(tab, later, 'bob');
  const comesBefore = () => tab.locator('#messages > li[data-state="refused"] ~ li', { hasText: later }).waitFor();
  await comesBefore();
  await tab.reload();
  await ready(tab);
  await comesBefore();
  assert.equal(await refused.locator('.entry-note-text').textContent(), reason);
  await refused.getByRole('button', { name: 'Send again' }).click();
  await tab.locator(`#messages > li:has-text("${later}") ~ li[data-state="refused"]`).waitFor();
  await refused.getByRole('button', { name: 'Discard' }).click();
  await refused.waitFor({ state: 'detached' });
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'message-field');
  await tab.reload();
  await ready(tab);
  await waitForEntry(tab, later, 'bob');
  assert.equal(await refused.count(), 0);
});

test('the 51st line that waits stays in the field, with a reason', async () => {
  const { tab, network } = await open();
  await cut(tab, network);
  for (let i = 0; i < 50; i += 1) await say(tab, `@nobody line ${i}`);
  await say(tab, '@nobody one more');
  await tab.locator('#message-problem', { hasText: '50 messages wait to be sent' }).waitFor();
  assert.equal(await tab.locator('#message-field').inputValue(), '@nobody one more');
  assert.equal(await tab.locator('#messages > li[data-state="waiting"]').count(), 50);
});

test('lines and the text in the field move to another node with the tab', async () => {
  const { tab, network, user } = await open();
  await cut(tab, network);
  const texts = ['before', 'the move'].map((word) => unique(`@nobody ${word}`));
  for (const text of texts) await say(tab, text);
  await tab.locator('#message-field').fill('half a sentence');
  await tab.getByRole('button', { name: /Move here/ }).click();
  await tab.waitForURL((url) => url.href !== page);
  network.restore();
  await ready(tab);
  assert.equal(await tab.locator('#message-field').inputValue(), 'half a sentence');
  for (const text of texts) {
    const entry = entryOf(tab, text);
    await entry.getByText('It came with the address of this page.').waitFor();
    await entry.getByRole('button', { name: 'Send again' }).click();
  }
  await arrived({ tab, network, user }, texts);

  await tab.goto(page);
  await ready(tab);
  await waitForEntry(tab, texts[1], user);
  await tab.waitForFunction(() => document.querySelectorAll('#messages > li:not([data-id])').length === 0);
  assert.deepEqual(await storedWith(texts), texts, 'the tab that comes back does not store them again');
});

test('a line in a link is sent only if its user wants that', async () => {
  const [user, foreign, own] = ['alice', '@nobody from a link', '@nobody my own'].map(unique);
  const line = JSON.stringify({ id: unique('a'.repeat(32)), text: foreign, at: Date.now(), after: null });
  const context = await newContext();
  const network = await faultyNetwork(context);
  const tab = await openTab({ context, address: `${page}#${new URLSearchParams({ as: user, line })}` });
  await ready(tab);
  await say(tab, own);
  await waitForEntry(tab, own, user);
  assert.deepEqual(await storedWith([foreign, own]), [own]);
  await tab.reload();
  await ready(tab);
  await entryOf(tab, foreign).getByText('It came with the address of this page.').waitFor();
  assert.deepEqual(network.callsOf('chatbot.say').map(({ text }) => text), [own]);
  await entryOf(tab, foreign).getByRole('button', { name: 'Send again' }).click();
  await waitForEntry(tab, foreign, user);
});

test('signing out leaves nothing of what was not sent in the tab', async () => {
  const { tab, network } = await open();
  await cut(tab, network);
  const [line, draft] = ['@nobody a secret', 'another secret'].map(unique);
  await say(tab, line);
  await tab.locator('#message-field').fill(draft);
  await tab.locator('#sign-out').click();
  await tab.locator('#name').waitFor();
  const kept = await tab.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  for (const text of [line, draft]) assert.ok(!kept.includes(text), kept);
});

test('2,000 characters of four bytes are a line', async () => {
  const { tab, user } = await open();
  const mark = unique('');
  await say(tab, `${'😀'.repeat(2_000 - mark.length)}${mark}`);
  await waitForEntry(tab, mark, user);
});

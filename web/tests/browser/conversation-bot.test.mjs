// The bot in a conversation of several people, on two nodes.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ready, say, waitForAnswer, waitForEntry } from './chromium.mjs';
import { expected, since } from './conversation.mjs';
import { LOBBY } from './demo-gateway.mjs';
import { history, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { signedIn } = tabsOfFile();

test('between people the bot is silent until somebody names it or says one of its commands', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await signedIn({ user: alice }), await signedIn({ user: bob })];
  for (const [tab, other] of [[one, bob], [two, alice]]) await tab.locator(`#people [data-user="${other}"]`).waitFor();
  const [question, named] = [unique('good question'), unique('@bot good question')];
  await say(one, question);
  const first = await waitForEntry(two, question, alice);
  await say(two, named);
  const second = await waitForEntry(one, named, bob);
  const answer = await waitForAnswer(one, second);
  assert.equal(await one.locator(`#messages > li[data-id="${answer}"] .entry-to`).textContent(), `to ${bob}`);
  assert.equal(await two.locator(`#messages > li[data-id="${answer}"] .entry-to`).count(), 0);
  await say(one, 'help');
  const third = await waitForEntry(two, 'help', alice);
  await waitForAnswer(two, third);
  const stored = since(expected(await history(LOBBY)), first).map(({ id, from }) => (from === 'bot' ? 'bot' : id));
  assert.deepEqual(stored, [first, second, 'bot', third, 'bot']);
});

test('somebody at another node stops an answer, which stays stopped after a reload', async () => {
  const [alice, bob] = [unique('alice'), unique('bob')];
  const [one, two] = [await signedIn({ user: alice }), await signedIn({ user: bob, address: `${process.env.SWITCHBOARD_URL_2}/` })];
  await say(one, 'tell me a story');
  const question = await waitForEntry(two, 'tell me a story', alice);
  const streaming = two.locator(`#messages > li[data-id="${question}"] ~ li[data-state="streaming"][data-parts]`);
  await streaming.waitFor();
  const id = await streaming.getAttribute('data-id');
  await streaming.getByRole('button', { name: 'Stop this answer' }).click();
  const note = (tab) => tab.locator(`#messages > li[data-id="${id}"][data-state="stopped"] .entry-note-text`);
  await note(two).getByText('You stopped this answer.').waitFor();
  await note(one).getByText(`Stopped by ${bob}.`).waitFor();
  assert.equal(await two.evaluate(() => document.activeElement.id), 'message-field');
  for (const tab of [one, two]) {
    await tab.reload();
    await ready(tab);
  }
  await note(two).getByText('You stopped this answer.').waitFor();
  await note(one).getByText(`Stopped by ${bob}.`).waitFor();
});

// An answer that is stopped.

import assert from 'node:assert/strict';
import test from 'node:test';
import { faultyNetwork, ready } from './chromium.mjs';
import { demoGateway, LOBBY } from './demo-gateway.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, signedIn } = tabsOfFile();

async function openPage(gateway, user, options) {
  const context = await newContext(options);
  const network = await faultyNetwork(context);
  return { tab: await signedIn({ context, user, address: `${gateway.url}/` }), network };
}

const now = () => new Date().toISOString();
const answer = (tab, id) => tab.locator(`#messages > li[data-id="${id}"]`);
const note = (tab, id) => answer(tab, id).locator('.entry-note-text');

/** The bot begins an answer to bob. */
async function begin(gateway, id) {
  await gateway.publish(LOBBY, { kind: 'stream', id, from: 'bot', channel: `stream:${id}`, for: 'bob', at: now() });
  await gateway.publish(`stream:${id}`, { kind: 'part', seq: 0, text: 'Once upon' });
}

async function end(gateway, id, by) {
  await gateway.publish(`stream:${id}`, { kind: 'end', reason: 'stopped', by });
  await gateway.publish(LOBBY, { kind: 'message', id, from: 'bot', text: 'Once upon', stream: id, reason: 'stopped', by, at: now() });
}

test('an answer is stopped with its button, everybody sees by whom, and it does not look like a fault', async (t) => {
  const gateway = await demoGateway(t);
  const alice = await openPage(gateway, 'alice');
  const bob = await openPage(gateway, 'bob');
  const calls = [];
  alice.network.answers['chatbot.stop'] = (data) => {
    calls.push(data);
    return { data: { stopped: [data.stream] } };
  };
  await begin(gateway, 'a1');
  for (const { tab } of [alice, bob]) await answer(tab, 'a1').getByText('Once upon').waitFor();
  assert.equal(await answer(alice.tab, 'a1').locator('.entry-to').textContent(), 'to bob');
  assert.equal(await answer(bob.tab, 'a1').locator('.entry-to').isVisible(), false);

  const stop = answer(alice.tab, 'a1').getByRole('button', { name: 'Stop this answer' });
  await stop.focus();
  await alice.tab.keyboard.press('Enter');
  await note(alice.tab, 'a1').filter({ hasText: 'Stopping…' }).waitFor();
  assert.deepEqual(calls, [{ channel: LOBBY, stream: 'a1' }]);
  assert.equal(await alice.tab.evaluate(() => document.activeElement.id), 'message-field');
  await end(gateway, 'a1', 'alice');

  const texts = async () => {
    await note(alice.tab, 'a1').filter({ hasText: 'You stopped this answer.' }).waitFor();
    await note(bob.tab, 'a1').filter({ hasText: 'Stopped by alice.' }).waitFor();
    assert.equal(await answer(alice.tab, 'a1').getAttribute('data-state'), 'stopped');
  };
  await texts();
  const colors = await note(bob.tab, 'a1').evaluate((element) => {
    const probe = document.body.appendChild(Object.assign(document.createElement('p'), { className: 'entry-note' }));
    const neutral = getComputedStyle(probe).color;
    probe.remove();
    return [getComputedStyle(element).color, neutral];
  });
  assert.equal(colors[0], colors[1]);
  await alice.tab.locator('#announcements', { hasText: 'You stopped this answer.' }).waitFor({ state: 'attached' });

  for (const { tab } of [alice, bob]) {
    await tab.reload();
    await ready(tab);
  }
  await texts();
});

test('an answer that cannot be stopped says so and goes on', async (t) => {
  const gateway = await demoGateway(t);
  const { tab, network } = await openPage(gateway, 'alice', { hasTouch: true, isMobile: true });
  network.answers['chatbot.stop'] = () => ({ error: { code: 1000, message: 'unavailable', temporary: true } });
  await begin(gateway, 'a2');
  const stop = answer(tab, 'a2').getByRole('button', { name: 'Stop this answer' });
  await stop.tap();
  await tab.locator('.toast', { hasText: 'The answer was not stopped.' }).waitFor();
  await stop.waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'scroller', 'the focus does not open the keyboard');
  await gateway.publish('stream:a2', { kind: 'part', seq: 1, text: ' a time' });
  await answer(tab, 'a2').getByText('Once upon a time').waitFor();
});

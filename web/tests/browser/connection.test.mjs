// What the page says in each state of the connection.

import assert from 'node:assert/strict';
import test from 'node:test';
import { eventually } from '../../../gateway/tests/sdk/support/wait.mjs';
import { faultyNetwork, ready } from './chromium.mjs';
import { disconnect, publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, open, signedIn } = tabsOfFile({ reducedMotion: 'reduce' });

/** Signs in without waiting for a connection. */
async function enter(tab, user) {
  await tab.waitForFunction(() => document.activeElement?.id === 'name');
  await tab.locator('#name').fill(user);
  await tab.keyboard.press('Enter');
}

const state = (tab, name) => tab.waitForSelector(`body[data-connection="${name}"]`);
const pill = (tab) => tab.locator('#pill-text').textContent();
const banner = (tab) => tab.locator('#banner-text').textContent();

/** Records every text of the pill, the banner, the panel and the urgent announcements from now on, each once. */
function recordTexts(tab) {
  return tab.evaluate(() => {
    globalThis.texts = new Set();
    const record = () => {
      for (const id of ['pill-text', 'banner-text', 'state-text']) globalThis.texts.add(document.getElementById(id).textContent);
      for (const line of document.querySelectorAll('#urgent-announcements p')) globalThis.texts.add(line.textContent);
    };
    record();
    new MutationObserver(record).observe(document.body, { childList: true, characterData: true, subtree: true });
  });
}

const recorded = (tab) => tab.evaluate(() => [...globalThis.texts]);

test('a page that was never connected does not say that the connection is lost', async () => {
  const context = await newContext();
  const network = await faultyNetwork(context);
  network.cut();
  const tab = await open({ context });
  await recordTexts(tab);
  await enter(tab, unique('alice'));
  await state(tab, 'unreached');
  assert.equal(await pill(tab), 'Not connected');
  assert.match(await banner(tab), /^Not connected yet\. Next try within \d\.\d s\.$/);
  const texts = await recorded(tab);
  assert.deepEqual(texts.filter((text) => /lost|reconnect/i.test(text)), []);
  assert.ok(texts.includes('Not connected yet. Trying again.'), 'it is announced');
  network.restore();
  await tab.locator('#banner [data-do="try-now"]').click();
  await state(tab, 'connected');
  assert.equal(await tab.locator('#banner').isVisible(), false);
});

test('a lost connection is announced once, and reads as lost until it is back', async () => {
  const context = await newContext();
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  network.cut();
  await state(tab, 'waiting');
  assert.equal(await pill(tab), 'Reconnecting');
  assert.match(await banner(tab), /^The connection is lost\. Next try within \d\.\d s\.$/);
  await eventually(() => network.refused >= 3, 'further attempts');
  assert.equal(await tab.locator('#urgent-announcements p').count(), 1, 'further attempts say nothing');
  network.restore();
  await ready(tab);
});

test('a connection that the server ends for good never reads as reconnecting', async () => {
  const context = await newContext();
  await context.clock.install();
  const tab = await signedIn({ context });
  await recordTexts(tab);
  await disconnect(tab.user);
  await state(tab, 'closed');
  assert.equal(await pill(tab), 'Disconnected');
  assert.equal(await banner(tab), 'The server ended this connection.');
  await tab.locator('#again').waitFor();
  await tab.clock.fastForward(60_000);
  assert.deepEqual((await recorded(tab)).filter((text) => /reconnect|connecting|trying|next try|lost/i.test(text)), []);
  assert.equal(await tab.locator('[data-do="try-now"]:visible').count(), 0);
  await tab.locator('#again').click();
  await ready(tab);
});

test('a first connection that the server refuses for good reads as closed', async () => {
  const context = await newContext();
  await context.routeWebSocket('**/connection/websocket', (socket) => socket.close({ code: 3500, reason: 'invalid token' }));
  const tab = await open({ context });
  await recordTexts(tab);
  await enter(tab, unique('alice'));
  await state(tab, 'closed');
  assert.equal(await banner(tab), 'Your sign-in was not accepted. Sign in again.');
  assert.deepEqual((await recorded(tab)).filter((text) => /reconnect|trying|next try|lost/i.test(text)), []);
});

test('a browser without a network is called offline, and the page connects when the network is back', async () => {
  const context = await newContext();
  const tab = await signedIn({ context });
  // The icons of the first messages, which no offline browser can load.
  await tab.waitForLoadState('networkidle');
  await context.setOffline(true);
  await state(tab, 'offline');
  assert.equal(await pill(tab), 'Offline');
  assert.match(await banner(tab), /^You are offline\./);
  await tab.locator('#urgent-announcements p', { hasText: 'You are offline.' }).waitFor({ state: 'attached' });
  await context.setOffline(false);
  await ready(tab);
});

test('a cut by the user says so, and when it ends', async () => {
  const tab = await signedIn();
  await tab.locator('#cut').click();
  await state(tab, 'cut');
  assert.equal(await pill(tab), 'Connection cut');
  assert.match(await banner(tab), /^You cut the connection\. It comes back in \d\.\d s\./);
  await ready(tab);
});

test('a node that shuts down does not read as a lost connection', async () => {
  const context = await newContext();
  let isDown = false;
  const sockets = [];
  await context.routeWebSocket('**/connection/websocket', (socket) => {
    if (isDown) return void socket.close({ code: 1013, reason: '' });
    sockets.push(socket);
    socket.connectToServer();
  });
  const tab = await signedIn({ context });
  isDown = true;
  for (const socket of sockets) socket.close({ code: 3001, reason: 'shutdown' });
  await state(tab, 'shutdown');
  assert.match(await banner(tab), /^The server is shutting down\. Next try within/);
  isDown = false;
  await tab.locator('#banner [data-do="try-now"]').click();
  await ready(tab);
});

test('the log counts recovered messages, not the parts of an answer', async () => {
  const tab = await signedIn();
  const stream = unique('s');
  const channel = `stream:${stream}`;
  await publish('chat:lobby', { kind: 'stream', id: stream, from: 'bot', channel });
  await publish(channel, { kind: 'part', seq: 0, text: 'begin ' });
  await tab.waitForSelector(`#messages > li[data-id="${stream}"][data-parts]`);
  await tab.locator('#cut').click();
  await state(tab, 'cut');
  for (let seq = 1; seq <= 40; seq += 1) await publish(channel, { kind: 'part', seq, text: 'word ' });
  for (const text of ['one', 'two']) await publish('chat:lobby', { kind: 'message', id: unique('m'), from: 'bob', text: unique(text) });
  await ready(tab);
  await tab.locator('#connection-log li', { hasText: 'recovered' }).waitFor();
  assert.equal(await tab.locator('#connection-log li', { hasText: 'recovered' }).locator('span').textContent(), '2 messages recovered');
  assert.equal(await tab.locator('#recovered').textContent(), '2');
  await tab.waitForSelector(`#messages > li[data-id="${stream}"][data-parts="41"]`);
  await publish(channel, { kind: 'end', reason: 'done' });
  await publish('chat:lobby', { kind: 'message', id: stream, from: 'bot', text: 'done', stream });
});

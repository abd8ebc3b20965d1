// The pages of one protocol each: STOMP and EventSource.

import assert from 'node:assert/strict';
import test from 'node:test';
import { eventually } from '../../../gateway/tests/sdk/support/wait.mjs';
import { assertAccessible } from './access.mjs';
import { say, waitForEntry } from './chromium.mjs';
import { mutingProxy } from './muting-proxy.mjs';
import { disconnect, page, publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, open, signedIn } = tabsOfFile({ reducedMotion: 'reduce' });

const PAGES = ['stomp.html', 'events.html'];

const state = (tab, name) => tab.waitForSelector(`body[data-connection="${name}"]`);
const line = (tab, text) => tab.locator('.line-row', { hasText: text });
const position = (tab) => tab.locator('#position').textContent();
const message = (text) => ({ kind: 'message', id: unique('m'), from: 'bob', text, at: new Date().toISOString() });

/** A tab with one of the pages, connected. */
async function connected(name, { address = page, ...options } = {}) {
  const tab = await open({ address: `${address}${name}`, ...options });
  await state(tab, 'connected');
  return tab;
}

/** Publishes a line and waits until the page shows it, so that the page has a position. */
async function shows(tab) {
  const text = unique('shown');
  await publish('chat:lobby', message(text));
  await line(tab, text).waitFor();
}

test('a line of the demo is on both pages, and a line over STOMP is on the demo under the name of its user', async () => {
  const demo = await signedIn();
  const [stomp, events] = [await connected('stomp.html'), await connected('events.html')];
  const said = unique('@nobody said on the demo');
  await say(demo, said);
  for (const tab of [stomp, events]) assert.equal(await line(tab, said).locator('.line-from').textContent(), demo.user);
  const user = await stomp.locator('#user').textContent();
  const answer = unique('@nobody over STOMP');
  await stomp.locator('#line').fill(answer);
  await stomp.keyboard.press('Enter');
  await waitForEntry(demo, answer, user);
  await line(stomp, answer).waitFor();
  await line(events, answer).waitFor();
  assert.equal(await stomp.locator('#line').inputValue(), '');
});

test('the page for EventSource shows headlines', async () => {
  const tab = await connected('events.html');
  const headline = unique('It rains');
  await publish('news:world', { headline });
  assert.equal(await line(tab, headline).locator('.line-from').textContent(), 'News');
  assert.match(await tab.locator('#command').textContent(), /^curl [^]+http:\/\/[^]+\/v1\/channels\/news:world\/publications$/);
});

for (const name of PAGES) {
  test(`${name}: who leaves and comes back misses nothing and sees nothing twice`, async () => {
    const tab = await connected(name);
    await shows(tab);
    await tab.locator('#toggle').click();
    await state(tab, 'closed');
    assert.equal(await tab.locator('#state').textContent(), 'Disconnected');
    const missed = ['one', 'two', 'three'].map(unique);
    for (const text of missed) await publish('chat:lobby', message(text));
    await tab.locator('#toggle').click();
    await state(tab, 'connected');
    await line(tab, missed[2]).waitFor();
    for (const text of missed) assert.equal(await line(tab, text).count(), 1);
    assert.notEqual(await position(tab), '–');
  });

  test(`${name}: the demo's user is the user, and another browser has a guest`, async () => {
    const context = await newContext();
    const demo = await signedIn({ context });
    const own = await connected(name, { context });
    assert.equal(await own.locator('#user').textContent(), demo.user);
    const other = await connected(name, { context: await newContext() });
    assert.match(await other.locator('#user').textContent(), /^guest-\w+$/);
  });

  for (const [viewport, colorScheme] of [[{ width: 1280, height: 800 }, 'light'], [{ width: 390, height: 844 }, 'dark'], [{ width: 320, height: 640 }, 'light']]) {
    test(`${name}: axe-core finds nothing and nothing scrolls sideways (${viewport.width} px, ${colorScheme})`, async () => {
      const tab = await connected(name, { viewport, colorScheme });
      const excess = () => tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      await assertAccessible(tab, 'no lines');
      await publish('chat:lobby', message(`${'long'.repeat(80)} ${unique('end')}`));
      await line(tab, 'longlong').first().waitFor();
      await assertAccessible(tab, 'lines');
      assert.ok(await excess() <= 0, `${await excess()} px too wide`);
      await tab.locator('#toggle').click();
      await state(tab, 'closed');
      await assertAccessible(tab, 'disconnected');
    });
  }

  test(`${name}: the colours can be changed, and the links lead to the other pages`, async () => {
    const tab = await connected(name, { colorScheme: 'light' });
    await tab.locator('[data-do="theme"]').click();
    await tab.locator('html[data-theme="dark"]').waitFor({ state: 'attached' });
    const links = await tab.$$eval('.pages a', (all) => all.map(({ href }) => href));
    assert.deepEqual(links, ['', ...PAGES].map((each) => page + each));
    const script = await tab.getByRole('link', { name: 'The script of this page' }).evaluate(({ href }) => href);
    for (const link of [...links, script]) assert.equal((await fetch(link)).status, 200, link);
  });
}

test('the first screen and the panel of the demo link to both pages', async () => {
  const tab = await signedIn();
  assert.deepEqual(await tab.$$eval('#side .ways a', (all) => all.map(({ href }) => href)), PAGES.map((each) => page + each));
  const first = await open();
  for (const name of PAGES) assert.equal(await first.locator(`#sign-in .ways a[href="${name}"]`).count(), 1);
});

test('a STOMP page whose connection breaks comes back by itself and misses nothing', async () => {
  const context = await newContext();
  const sockets = [];
  let isDown = false;
  await context.routeWebSocket('**/stomp', (socket) => {
    if (isDown) return void socket.close({ code: 3000 });
    sockets.push(socket);
    socket.connectToServer();
  });
  const tab = await connected('stomp.html', { context });
  // The receipt of the SUBSCRIBE has a position.
  await tab.locator('#position', { hasText: /-\d+$/ }).waitFor();
  isDown = true;
  for (const socket of sockets) socket.close({ code: 3000 });
  await state(tab, 'waiting');
  await tab.locator('#line').fill('too early');
  await tab.keyboard.press('Enter');
  await tab.locator('#problem', { hasText: 'You are not connected.' }).waitFor();
  assert.equal(await tab.locator('#line').inputValue(), 'too early');
  const missed = unique('missed');
  await publish('chat:lobby', message(missed));
  isDown = false;
  await line(tab, missed).waitFor();
  await tab.locator('#problem').waitFor({ state: 'hidden' });
});

test('an event stream that breaks comes back by itself and misses nothing', async (t) => {
  const proxy = await mutingProxy(t);
  const tab = await connected('events.html', { address: proxy.address, expected: /ERR_(INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_RESET)|request failed: .*\/events\?/ });
  await shows(tab);
  proxy.cut();
  await state(tab, 'waiting');
  const missed = unique('missed');
  await publish('chat:lobby', message(missed));
  await state(tab, 'connected');
  await line(tab, missed).waitFor();
  assert.equal(await line(tab, missed).count(), 1);
});

test('an event stream that the gateway ends for good says so, and stays ended', async () => {
  // A token of the second in which the user was disconnected is refused. The page then gets another one.
  const tab = await connected('events.html', { expected: /status of 40[13]/ });
  let streams = 0;
  tab.on('request', (request) => { streams += request.url().includes('/events?') ? 1 : 0; });
  await disconnect(await tab.locator('#user').textContent());
  await state(tab, 'closed');
  assert.match(await tab.locator('#state').textContent(), /^The gateway ended the stream: ./);
  assert.equal(streams, 0);
  await tab.locator('#toggle').click();
  await state(tab, 'connected');
});

test('a refused SEND shows why, and the connection stays', async () => {
  const tab = await connected('stomp.html');
  await tab.locator('#line').fill('error');
  await tab.locator('#send').click();
  await tab.locator('#problem').waitFor();
  await eventually(async () => (await tab.locator('#problem').textContent()).length > 10, 'the reason');
  await assertAccessible(tab, 'a problem');
  assert.equal(await tab.evaluate(() => document.body.dataset.connection), 'connected');
});

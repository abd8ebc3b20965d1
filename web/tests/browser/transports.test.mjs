// The page over each transport of the SDK: chosen by its user, or because another one does not get through.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAccessible } from './access.mjs';
import { ready, say, waitForAnswer, waitForEntry } from './chromium.mjs';
import { mutingProxy } from './muting-proxy.mjs';
import { publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, open, signedIn } = tabsOfFile({ reducedMotion: 'reduce' });

const TITLES = { websocket: 'WebSocket', http_stream: 'HTTP stream', sse: 'SSE' };
const SECOND = `${process.env.SWITCHBOARD_URL_2}/`;

const used = (tab) => tab.locator('#transport').textContent();
const text = (tab) => tab.locator('#transport-text').textContent();
const pressed = (tab) => tab.locator('.choice[aria-pressed="true"]').getAttribute('data-transport');
const message = (line) => ({ kind: 'message', id: unique('m'), from: 'bob', text: line, at: new Date().toISOString() });

/** Chooses a transport with the mouse and waits until the page is back. */
async function choose(tab, transport) {
  await Promise.all([tab.waitForEvent('load'), tab.locator(`[data-transport="${transport}"]`).click()]);
  await ready(tab);
}

/** A tab that is signed in over this transport. */
async function over(transport, options) {
  const tab = await signedIn(options);
  if (transport !== 'websocket') await choose(tab, transport);
  assert.equal(await used(tab), TITLES[transport]);
  return tab;
}

for (const transport of Object.keys(TITLES)) {
  test(`over ${TITLES[transport]} lines and answers go both ways, and a cut loses nothing`, async () => {
    const tab = await over(transport);
    const line = unique('@bot help');
    await say(tab, line);
    await waitForAnswer(tab, await waitForEntry(tab, line, tab.user));
    await tab.locator('#cut').click();
    await tab.waitForSelector('body[data-connection="cut"]');
    const missed = ['one', 'two', 'three'].map(unique);
    for (const each of missed) await publish('chat:lobby', message(each));
    const waiting = unique('@nobody said during the cut');
    await say(tab, waiting);
    await ready(tab);
    for (const each of missed) await waitForEntry(tab, each, 'bob');
    await waitForEntry(tab, waiting, tab.user);
    assert.equal(await used(tab), TITLES[transport]);
    assert.deepEqual(await tab.evaluate(() => ['recovered', 'missing', 'duplicates'].map((id) => Number(document.getElementById(id).textContent))), [3, 0, 0]);
    const frames = await tab.evaluate(() => ['frames-in', 'frames-out'].map((id) => Number(document.getElementById(id).textContent)));
    assert.ok(frames.every((number) => number >= 4), `frames are counted: ${frames}`);
    assert.equal(await tab.locator('#node').textContent(), 'gateway');
    assert.equal(await tab.locator('#nodes [aria-current]').getAttribute('data-node'), 'gateway');
  });
}

test('the transport is chosen with the keyboard, the focus comes back, and the choice is kept for this tab alone', async () => {
  const context = await newContext();
  const tab = await signedIn({ context });
  assert.equal(await pressed(tab), 'websocket');
  await tab.locator('#message-field').fill('half a line');
  await tab.locator('#over-websocket').focus();
  await tab.keyboard.press('Tab');
  await Promise.all([tab.waitForEvent('load'), tab.keyboard.press('Enter')]);
  await ready(tab);
  await tab.waitForFunction(() => document.activeElement.id === 'over-http-stream');
  await tab.locator('.toast', { hasText: 'Now over HTTP stream' }).waitFor();
  await tab.locator('#announcements p', { hasText: 'Now over HTTP stream.' }).waitFor({ state: 'attached' });
  assert.deepEqual([await pressed(tab), await used(tab)], ['http_stream', 'HTTP stream']);
  assert.equal(await tab.locator('#message-field').inputValue(), 'half a line');
  await assertAccessible(tab, 'another transport');
  await tab.reload();
  await ready(tab);
  assert.equal(await used(tab), 'HTTP stream');
  assert.equal(await tab.locator('.toast').count(), 0, 'only a change is reported');
  assert.equal(await used(await signedIn({ context })), 'WebSocket');
});

test('on a phone the focus comes back to the way to the panel', async () => {
  const tab = await signedIn({ viewport: { width: 390, height: 844 } });
  await tab.locator('#pill').click();
  await choose(tab, 'sse');
  await tab.waitForFunction(() => document.activeElement.id === 'pill');
  assert.equal(await used(tab), 'SSE');
});

test('two tabs on two nodes over different transports have one conversation', async () => {
  const [one, two] = await Promise.all([over('http_stream'), over('sse', { address: SECOND })]);
  for (const [from, to] of [[one, two], [two, one]]) {
    const line = unique('@nobody hello');
    await say(from, line);
    await waitForEntry(to, line, from.user);
  }
});

test('a tab that moves to another node keeps its transport', async () => {
  const tab = await over('sse');
  await tab.locator('#nodes [data-do="move"]').first().click();
  await tab.waitForURL(SECOND);
  await ready(tab);
  assert.deepEqual([await pressed(tab), await used(tab)], ['sse', 'SSE']);
});

const MUTE = [
  { what: 'WebSockets', paths: [], used: 'HTTP stream' },
  { what: 'WebSockets and HTTP streams', paths: ['/connection/http_stream'], used: 'SSE' },
];
for (const { what, paths, used: expected } of MUTE) {
  test(`where a proxy lets ${what} wait, the page uses ${expected} and says so`, async (t) => {
    const { address, muted } = await mutingProxy(t, paths);
    const tab = await signedIn({ address });
    assert.equal(await used(tab), expected);
    assert.equal(await text(tab), `WebSocket does not get through, so this tab uses ${expected}.`);
    assert.deepEqual([muted.upgrade, muted.http], [1, paths.length]);
    const line = unique('@bot help');
    await say(tab, line);
    await waitForAnswer(tab, await waitForEntry(tab, line, tab.user));
    assert.match(await tab.locator('#connection-log li').last().textContent(), new RegExp(`Connected to .+ over ${expected}`));
  });
}

test('a choice that does not get through is reported', async (t) => {
  const { address } = await mutingProxy(t, ['/connection/sse']);
  const tab = await open({ address });
  await tab.evaluate(() => {
    sessionStorage.setItem('switchboard.user', 'carol');
    sessionStorage.setItem('switchboard.transport', 'http_stream');
  });
  await tab.reload();
  await ready(tab);
  await choose(tab, 'sse');
  await tab.locator('.toast.level-warning', { hasText: 'SSE does not get through' }).waitFor();
});

// What is read in a conversation: earlier messages, days and times, long lines, and many lines at once.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ready, waitForEntry } from './chromium.mjs';
import { demoGateway, line, LOBBY } from './demo-gateway.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, signedIn } = tabsOfFile();

const openPage = (gateway, options) => signedIn({ user: 'alice', address: `${gateway.url}/`, ...options });

const lines = (count, more) => Array.from({ length: count }, (_, i) => line(`line ${i}`, more));
const shownIds = (tab) => tab.$$eval('#messages > li[data-id]', (list) => list.map(({ dataset }) => dataset.id));
const ids = (list) => list.map(({ id }) => id);

/** Where an entry is in the visible part of the list, in pixels. */
const topOf = (tab, id) => tab.$eval(`#messages > li[data-id="${id}"]`, (entry) => entry.getBoundingClientRect().top);

for (const width of [1280, 390]) {
  test(`"Show earlier messages" shows a page at every click, keeps the place, and goes away at the end (${width})`, async (t) => {
    const gateway = await demoGateway(t);
    const all = lines(195);
    await gateway.publish(LOBBY, ...all);
    const tab = await openPage(gateway, { viewport: { width, height: 740 } });
    const older = tab.getByRole('button', { name: 'Show earlier messages' });
    for (const shown of [60, 120, 180, 195]) {
      await tab.waitForFunction((count) => document.querySelectorAll('#messages > li').length === count, shown);
      assert.deepEqual(await shownIds(tab), ids(all.slice(-shown)));
      if (shown === 195) break;
      await older.scrollIntoViewIfNeeded();
      const first = all.at(-shown).id;
      const before = await topOf(tab, first);
      await older.click();
      await tab.waitForFunction((id) => document.querySelector('#messages > li').dataset.id !== id, first);
      await tab.evaluate(() => new Promise(requestAnimationFrame));
      assert.ok(Math.abs(await topOf(tab, first) - before) < 2, 'what is read stays where it is');
    }
    await older.waitFor({ state: 'hidden' });
    assert.equal(await tab.evaluate(() => document.activeElement.id), 'scroller', 'the focus stays in the conversation');
    });
}

test('a history of exactly one page has nothing earlier', async (t) => {
  const gateway = await demoGateway(t);
  await gateway.publish(LOBBY, ...lines(60));
  const tab = await openPage(gateway);
  await tab.waitForFunction(() => document.querySelectorAll('#messages > li').length === 60);
  assert.equal(await tab.locator('#older').isVisible(), false);
});

test('lines have their time and day, also after a reload, and a new day renames them', async (t) => {
  const gateway = await demoGateway(t);
  const said = (text, at) => line(text, { at: new Date(at).toISOString() });
  const dated = [said('long ago', '2026-11-20T08:05:00Z'), said('the day before', '2026-11-26T10:00:00Z'), said('late', '2026-11-27T20:10:00Z'), said('early', '2026-11-27T20:30:00Z')];
  await gateway.publish(LOBBY, ...dated);
  const context = await newContext({ timezoneId: 'UTC' });
  await context.clock.install({ time: new Date('2026-11-27T23:59:00Z') });
  const tab = await openPage(gateway, { context });
  await waitForEntry(tab, 'early', 'bob');
  const days = () => tab.$$eval('.day time', (list) => list.map((day) => `${day.dateTime} ${day.textContent}`));
  const times = () => tab.$$eval('#messages > li .entry-head time', (list) => list.map((time) => `${time.dateTime} ${time.textContent}`));
  const expectedTimes = ['2026-11-20T08:05:00.000Z 08:05', '2026-11-26T10:00:00.000Z 10:00', '2026-11-27T20:10:00.000Z 20:10', '2026-11-27T20:30:00.000Z 20:30'];
  const expectedDays = ['2026-11-20 Friday, 20 November 2026', '2026-11-26 Yesterday', '2026-11-27 Today'];
  assert.deepEqual(await days(), expectedDays);
  assert.deepEqual(await times(), expectedTimes);
  await tab.reload();
  await ready(tab);
  await waitForEntry(tab, 'early', 'bob');
  assert.deepEqual(await days(), expectedDays);
  assert.deepEqual(await times(), expectedTimes);

  await tab.clock.fastForward(120_000);
  await tab.locator('.day', { hasText: 'Thursday, 26 November 2026' }).waitFor();
  assert.deepEqual((await days()).at(-1), '2026-11-27 Yesterday');
  await gateway.publish(LOBBY, said('after midnight', '2026-11-28T00:01:00Z'));
  await waitForEntry(tab, 'after midnight', 'bob');
  assert.deepEqual((await days()).slice(-2), ['2026-11-27 Yesterday', '2026-11-28 Today']);
});

test('a long line is folded until somebody wants to read it, and not while it is written', async (t) => {
  const gateway = await demoGateway(t);
  const long = Array.from({ length: 30 }, (_, i) => `row ${i}`).join('\n');
  await gateway.publish(LOBBY, line(long), line('word '.repeat(300), { from: 'carol' }), line(Array.from({ length: 12 }, (_, i) => `row ${i}`).join('\n'), { from: 'dave' }));
  const tab = await openPage(gateway, { viewport: { width: 390, height: 740 } });
  await waitForEntry(tab, 'row 11', 'dave');
  const entry = (from) => tab.locator(`#messages > li[data-from="${from}"]`);
  const rows = (from) => entry(from).locator('.entry-text').evaluate((text) => Math.round(text.getBoundingClientRect().height / parseFloat(getComputedStyle(text).lineHeight)));
  for (const from of ['bob', 'carol']) assert.equal(await rows(from), 12);
  assert.equal(await entry('dave').getByRole('button').count(), 0, 'twelve lines are not folded');
  await entry('bob').getByRole('button', { name: 'Show more' }).click();
  assert.equal(await rows('bob'), 30);
  await entry('bob').getByRole('button', { name: 'Show less' }).click();
  assert.equal(await rows('bob'), 12);

  await gateway.publish(LOBBY, { kind: 'stream', id: 'answer', from: 'bot', channel: 'stream:answer', at: new Date().toISOString() });
  await gateway.publish('stream:answer', ...long.split('\n').map((text, seq) => ({ kind: 'part', seq, text: `${text}\n` })));
  await entry('bot').locator('.entry-text', { hasText: 'row 29' }).waitFor();
  assert.equal(await rows('bot'), 30);
  assert.equal(await entry('bot').getByRole('button', { name: /Show/ }).count(), 0);
  await gateway.publish(LOBBY, { kind: 'message', id: 'answer', from: 'bot', text: long, stream: 'answer', at: new Date().toISOString() });
  await entry('bot').getByRole('button', { name: 'Show less' }).click();
  assert.equal(await rows('bot'), 12);
});

test('text from right to left is laid out from right to left', async (t) => {
  const gateway = await demoGateway(t);
  await gateway.publish(LOBBY, line('שלום, מה שלומך?', { from: 'דנה' }), line('hello?'));
  const tab = await openPage(gateway);
  const id = await waitForEntry(tab, 'שלום', 'דנה');
  const directionOf = (selector) => tab.locator(selector).first().evaluate((element) => getComputedStyle(element).direction);
  assert.equal(await directionOf(`li[data-id="${id}"] .bubble`), 'rtl');
  assert.equal(await directionOf(`li[data-id="${id}"] .entry-from`), 'rtl');
  assert.equal(await directionOf('li[data-from="bob"] .bubble'), 'ltr');
  await tab.locator('#message-field').fill('שלום');
  assert.equal(await directionOf('#message-field'), 'rtl');
});

test('700 lines in 2 seconds: nothing is lost, out of order or announced one by one, and the page stays bounded', async (t) => {
  const gateway = await demoGateway(t);
  const tab = await openPage(gateway);
  await tab.evaluate(() => {
    globalThis.announced = [];
    globalThis.mostInOneFrame = 0;
    let count = 0;
    new MutationObserver((changes) => {
      count += changes.flatMap(({ addedNodes }) => [...addedNodes]).length;
    }).observe(document.getElementById('messages'), { childList: true });
    const frame = () => {
      globalThis.mostInOneFrame = Math.max(globalThis.mostInOneFrame, count);
      count = 0;
      requestAnimationFrame(frame);
    };
    frame();
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) globalThis.announced.push(node.textContent);
    }).observe(document.getElementById('announcements'), { childList: true });
  });
  const all = lines(700);
  const start = performance.now();
  for (let i = 0; i < 20; i += 1) {
    await gateway.publish(LOBBY, ...all.slice(i * 35, (i + 1) * 35));
    const due = start + (i + 1) * 100;
    if (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
  }
  await tab.locator(`#messages > li[data-id="${all.at(-1).id}"]`).waitFor();
  const shown = await shownIds(tab);
  assert.ok(shown.length >= 300 && shown.length <= 350, `${shown.length} entries on the page`);
  assert.deepEqual(shown, ids(all.slice(-shown.length)));
  assert.ok(await tab.evaluate(() => globalThis.mostInOneFrame) <= 60);
  const announced = await tab.evaluate(() => globalThis.announced);
  assert.ok(announced.length < 10, `${announced.length} announcements`);
  assert.match(announced.at(-1), /new messages/);
  const end = await tab.$eval('#scroller', ({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
  assert.ok(end < 2, 'the end is visible');

  const older = tab.getByRole('button', { name: 'Show earlier messages' });
  const seen = new Set(shown);
  while (await older.isVisible()) {
    const first = (await shownIds(tab))[0];
    await older.click();
    await tab.waitForFunction((id) => document.querySelector('#messages > li').dataset.id !== id, first);
    const now = await shownIds(tab);
    assert.ok(now.length <= 600, `${now.length} entries on the page`);
    assert.deepEqual(now, ids(all.slice(all.findIndex(({ id }) => id === now[0])).slice(0, now.length)), 'in the order of the history');
    for (const id of now) seen.add(id);
  }
  assert.equal(seen.size, 700);
  assert.deepEqual((await shownIds(tab))[0], all[0].id);

  await gateway.publish(LOBBY, line('the newest'));
  await tab.getByRole('button', { name: '1 new message' }).click();
  await waitForEntry(tab, 'the newest', 'bob');
});

test('somebody who reads back finds the way down line by line', async (t) => {
  const gateway = await demoGateway(t);
  const all = lines(900);
  await gateway.publish(LOBBY, ...all);
  const tab = await openPage(gateway);
  const older = tab.getByRole('button', { name: 'Show earlier messages' });
  for (let page = 0; page < 14; page += 1) {
    const first = (await shownIds(tab))[0];
    await older.click();
    await tab.waitForFunction((id) => document.querySelector('#messages > li').dataset.id !== id, first);
  }
  assert.equal((await shownIds(tab))[0], all[0].id);
  const last = all.at(-1).id;
  await tab.waitForFunction((id) => {
    const scroller = document.getElementById('scroller');
    scroller.scrollTop += 2_000;
    return document.querySelector(`#messages > li[data-id="${id}"]`);
  }, last);
  const shown = await shownIds(tab);
  assert.deepEqual(shown, ids(all.slice(-shown.length)));
});

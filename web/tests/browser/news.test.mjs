// The channel news:world: a toast and a list in the side panel.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ownGateway } from '../../../gateway/tests/sdk/support/gateway.mjs';
import { assertAccessible } from './access.mjs';
import { ready } from './chromium.mjs';
import { words } from './notice-data.mjs';
import { publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const NEWS = 'news:world';
const { signedIn } = tabsOfFile();

const headlines = (tab) => tab.locator('#news .headline-text').allTextContents();
const headline = (tab, text) => tab.locator('#news .headline', { hasText: text });
const toast = (tab, text) => tab.locator('.toast.level-news', { hasText: text });

/** A gateway of its own, so that no other test publishes news. */
function gateway(t, news = '') {
  return ownGateway(t, `
    [demo]
    enabled = true
    [namespaces.chat]
    subscribe = "anyone"
    history_size = 10
    history_ttl = "1h"
    see_history = "subscriber"
    presence = true
    see_presence = "subscriber"
    join_leave = true
    ${news}`);
}

const SETTINGS = '[namespaces.news]\nsubscribe = "anyone"\nhistory_size = 100\nhistory_ttl = "1h"\nsee_history = "anyone"';

test('a headline is shown as a toast and in the list, with its time, also after a reload', async () => {
  const tab = await signedIn();
  const text = unique('It rains');
  await publish(NEWS, { headline: text });
  await toast(tab, text).waitFor();
  assert.equal(await toast(tab, text).locator('.level-word').innerText(), 'News');
  await tab.locator('#announcements', { hasText: `News: ${text}` }).waitFor();
  await headline(tab, text).locator('time').waitFor();
  await tab.reload();
  await ready(tab);
  await headline(tab, text).locator('time').waitFor();
  assert.equal(await toast(tab, text).count(), 0, 'only a live headline makes a toast');
});

test('the list has the last five headlines, newest first', async (t) => {
  const own = await gateway(t, SETTINGS);
  const at = new Date(Date.now() - 7_200_000).toISOString();
  await own.publish(NEWS, ...Array.from({ length: 7 }, (_, index) => ({ headline: `Headline ${index}`, at })));
  const tab = await signedIn({ address: `${own.url}/` });
  await headline(tab, 'Headline 6').waitFor();
  assert.deepEqual(await headlines(tab), [6, 5, 4, 3, 2].map((index) => `Headline ${index}`));
  assert.equal(await headline(tab, 'Headline 6').locator('time').textContent(), '2 hours ago');
  await own.publish(NEWS, { headline: 'Newest' });
  await toast(tab, 'Newest').waitFor();
  assert.deepEqual(await headlines(tab), ['Newest', ...[6, 5, 4, 3].map((index) => `Headline ${index}`)]);
  await own.publish(NEWS, { headline: 'And another' });
  await toast(tab, 'And another').waitFor();
  assert.equal(await tab.locator('.toast').count(), 1, 'a newer headline replaces the toast of the one before');
});

test('bad data is harmless', async (t) => {
  const own = await gateway(t, SETTINGS);
  const tab = await signedIn({ address: `${own.url}/`, viewport: { width: 320, height: 568 }, reducedMotion: 'reduce' });
  const html = '<img src=x onerror="alert(1)"><b>bold</b>';
  await own.publish(NEWS, 7, 'text', [], {}, { headline: 7 }, { headline: { toString: 1 } }, { headline: '  ' }, { headline: 'Bad time', at: 'soon' }, { headline: html });
  await toast(tab, html).waitFor();
  assert.equal(await tab.locator('.toast-title img, .toast-title b').count(), 0);
  await own.publish(NEWS, { headline: words(10_000) }, { headline: 'x'.repeat(10_000) });
  await toast(tab, 'xxxx').waitFor();
  const [box, composer] = [await toast(tab, 'xxxx').boundingBox(), await tab.locator('#composer').boundingBox()];
  assert.ok(box.y + box.height <= composer.y, 'a long headline does not cover the message field');
  await tab.locator('#pill').click();
  await headline(tab, 'xxxx').scrollIntoViewIfNeeded();
  assert.deepEqual((await headlines(tab)).slice(2), [html, 'Bad time']);
  assert.equal(await tab.locator('#side').evaluate((side) => side.scrollWidth <= side.clientWidth), true, 'nothing scrolls sideways');
  assert.ok((await headline(tab, 'xxxx').boundingBox()).height < 120, 'a long headline is cut');
  await headline(tab, 'xxxx').locator('[data-do="show-more"]').click();
  assert.ok((await headline(tab, 'xxxx').boundingBox()).height > 1_000);
  await assertAccessible(tab, 'news');
});

test('a gateway without the channel offers no news', async (t) => {
  const own = await gateway(t);
  const tab = await signedIn({ address: `${own.url}/` });
  await tab.locator('#people li').first().waitFor();
  assert.equal(await tab.locator('#news-card').isVisible(), false);
  assert.equal(await tab.locator('.toast').count(), 0);
});

// Presses every button of the page where it is visible, and checks its effect. A new button needs a line in BUTTONS: its key is its id,
// or the id of the part of the page that it is in and its `data-do` (or `data-say`).

import assert from 'node:assert/strict';
import test from 'node:test';
import { buttonRecord, buttonsOfScripts } from './buttons.mjs';
import { entries, faultyNetwork, ready, say, waitForEntry } from './chromium.mjs';
import { demoGateway } from './demo-gateway.mjs';
import { notifyTab, openInbox, words } from './notice-data.mjs';
import { publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const PHONE = { viewport: { width: 390, height: 844 } };
const record = buttonRecord();
const { newContext, open, signedIn } = tabsOfFile({ prepare: record.watch });

const isHidden = (tab, selector) => tab.locator(selector).waitFor({ state: 'hidden' });
const hasFocus = (tab, id) => tab.waitForFunction((wanted) => document.activeElement.id === wanted, id);
const isDark = (tab) => tab.locator('html[data-theme="dark"]').waitFor({ state: 'attached' });
const message = (text) => ({ kind: 'message', id: unique('m'), from: 'bob', text, at: new Date().toISOString() });

/** A tab on a gateway of its own, with messages in its conversation. Nobody else writes there. */
async function ownConversation(t, messages) {
  const gateway = await demoGateway(t);
  await gateway.publish('chat:lobby', ...Array.from({ length: messages }, (_, at) => message(`line ${at}`)));
  const tab = await signedIn({ address: `${gateway.url}/` });
  if (messages > 0) await waitForEntry(tab, `line ${messages - 1}`, 'bob');
  return { gateway, tab };
}

/** Presses "Try now" while the clock stands still, so that the page does not connect without it. */
async function tryNow(selector) {
  const context = await newContext();
  await context.clock.install();
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  network.cut();
  await tab.waitForSelector('body[data-connection="waiting"]');
  const button = tab.locator(selector);
  await button.waitFor();
  await tab.clock.pauseAt(Date.now() + 1_000);
  network.restore();
  await button.click();
  await tab.waitForSelector('body[data-connection="connected"]');
}

async function refused() {
  const context = await newContext();
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  await tab.locator('[data-say="error"]').click();
  const entry = tab.locator(`.entry[data-from="${tab.user}"][data-state="refused"]`).last();
  await entry.waitFor();
  return { tab, entry, network };
}

async function longNotification() {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  await notifyTab(tab, { body: words(2_000) });
  return tab;
}

/** Pressed once, the text is whole; pressed again, it is cut. */
async function expandsAndFolds(button) {
  await button.click();
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  await button.click();
  assert.equal(await button.getAttribute('aria-expanded'), 'false');
}

/** Presses a transport while another one is chosen: the tab connects again over it. */
async function changesTransport(transport) {
  const tab = await signedIn();
  if (transport === 'websocket') {
    await tab.evaluate(() => sessionStorage.setItem('switchboard.transport', 'sse'));
    await tab.reload();
    await ready(tab);
  }
  await Promise.all([tab.waitForEvent('load'), tab.locator(`#over-${transport}`).click()]);
  await ready(tab);
  await tab.locator(`#over-${transport}[aria-pressed="true"]`).waitFor();
}

/** Presses a suggestion: its text is sent. */
const suggestion = (text) => async () => {
  const tab = await signedIn();
  await tab.locator(`[data-say="${text}"]`).click();
  await tab.locator(`.entry[data-from="${tab.user}"] .entry-text`, { hasText: text }).waitFor();
};

const BUTTONS = {
  async '#enter'() {
    const tab = await open();
    await tab.locator('#name').fill(unique('alice'));
    await tab.locator('#enter').click();
    await ready(tab);
  },
  async 'sign-in theme'() {
    const tab = await open({ colorScheme: 'light' });
    await tab.locator('#sign-in [data-do="theme"]').click();
    await isDark(tab);
  },
  async 'app theme'() {
    const tab = await signedIn({ colorScheme: 'light' });
    await tab.locator('.bar [data-do="theme"]').click();
    await isDark(tab);
  },
  async '#sign-out'() {
    const tab = await signedIn();
    await tab.locator('#sign-out').click();
    await tab.locator('#name').waitFor();
  },
  async '#pill'() {
    const tab = await signedIn(PHONE);
    await tab.locator('#pill').click();
    await tab.locator('#side').waitFor();
    await hasFocus(tab, 'side-title');
  },
  async '#side-close'() {
    const tab = await signedIn(PHONE);
    await tab.locator('#pill').click();
    await tab.locator('#side-close').click();
    await isHidden(tab, '#side');
    await hasFocus(tab, 'pill');
  },
  async '#bell'() {
    const tab = await signedIn();
    await tab.locator('#bell').click();
    await tab.locator('#inbox').waitFor();
    await hasFocus(tab, 'inbox-title');
    await tab.locator('#bell').click();
    await isHidden(tab, '#inbox');
  },
  async '#inbox-close'() {
    const tab = await signedIn();
    await openInbox(tab);
    await tab.locator('#inbox-close').click();
    await isHidden(tab, '#inbox');
    await hasFocus(tab, 'bell');
  },
  async '#copy'() {
    const context = await newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const tab = await signedIn({ context });
    await openInbox(tab);
    await tab.locator('#copy').click();
    await tab.locator('#copy-text', { hasText: 'Copied' }).waitFor();
    assert.match(await tab.evaluate(() => navigator.clipboard.readText()), new RegExp(`^curl .*"user":"${tab.user}"`));
  },
  async '#mark-read'() {
    const tab = await signedIn();
    await notifyTab(tab);
    await notifyTab(tab);
    await openInbox(tab);
    await tab.locator('#mark-read').click();
    await tab.getByRole('button', { name: 'Notifications', exact: true }).waitFor();
    assert.equal(await tab.locator('.notice.unread').count(), 0);
    await hasFocus(tab, 'inbox-title');
  },
  async 'inbox-list mark-read'() {
    const tab = await signedIn();
    await notifyTab(tab);
    await notifyTab(tab);
    await openInbox(tab);
    await tab.locator('.notice [data-do="mark-read"]').first().click();
    await tab.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    await tab.waitForFunction(() => document.activeElement.matches('.notice.unread [data-do="mark-read"]'));
    await tab.keyboard.press('Enter');
    await hasFocus(tab, 'inbox-title');
  },
  async 'inbox-list show-more'() {
    const tab = await longNotification();
    await openInbox(tab);
    await expandsAndFolds(tab.locator('#inbox-list [data-do="show-more"]'));
  },
  async 'toasts close-toast'() {
    const tab = await signedIn({ reducedMotion: 'reduce' });
    const toast = await notifyTab(tab);
    await toast.locator('[data-do="close-toast"]').click();
    await toast.waitFor({ state: 'detached' });
    await tab.getByRole('button', { name: 'Notifications', exact: true }).waitFor();
  },
  async 'toasts open-inbox'() {
    const tab = await signedIn({ reducedMotion: 'reduce' });
    for (let at = 0; at < 5; at += 1) await notifyTab(tab);
    await tab.getByRole('button', { name: '1 more in Notifications' }).click();
    await tab.locator('#inbox').waitFor();
    await hasFocus(tab, 'inbox-title');
    assert.equal(await tab.locator('.notice').count(), 5);
  },
  async 'news show-more'() {
    const tab = await signedIn();
    const headline = unique('headline');
    await publish('news:world', { headline: `${headline} ${words(2_000)}` });
    await expandsAndFolds(tab.locator('#news .headline', { hasText: headline }).locator('[data-do="show-more"]'));
  },
  async '#cut'() {
    const tab = await signedIn();
    await tab.locator('#cut').click();
    await tab.waitForSelector('body[data-connection="cut"]');
    await ready(tab);
  },
  'banner try-now': () => tryNow('#banner [data-do="try-now"]'),
  'side try-now': () => tryNow('#side [data-do="try-now"]'),
  async '#again'(t) {
    const { gateway, tab } = await ownConversation(t, 0);
    await gateway.ask('DELETE', `/v1/users/${tab.user}/connections?code=3503`);
    await tab.waitForSelector('body[data-connection="closed"]');
    await Promise.all([tab.waitForEvent('load'), tab.locator('#again').click()]);
  },
  ...Object.fromEntries(['websocket', 'http-stream', 'sse'].map((transport) => [`#over-${transport}`, () => changesTransport(transport)])),
  async 'nodes move'() {
    const tab = await signedIn();
    await tab.locator('#nodes [data-do="move"]').click();
    await tab.waitForURL(`${process.env.SWITCHBOARD_URL_2}/`);
    await ready(tab);
  },
  async '#older'(t) {
    const { tab } = await ownConversation(t, 130);
    const shown = async () => (await entries(tab)).length;
    assert.equal(await shown(), 60);
    await tab.locator('#older').click();
    await tab.locator('.entry-text').getByText('line 10', { exact: true }).waitFor();
    assert.equal(await shown(), 120);
    await tab.locator('#older').click();
    await tab.locator('.entry-text').getByText('line 0', { exact: true }).waitFor();
    await isHidden(tab, '#older');
    assert.equal(await shown(), 130);
  },
  async '#to-end'(t) {
    const { gateway, tab } = await ownConversation(t, 50);
    await tab.locator('#scroller').evaluate((scroller) => new Promise((scrolled) => {
      scroller.addEventListener('scroll', scrolled, { once: true });
      scroller.scrollTop = 0;
    }));
    await gateway.publish('chat:lobby', message('the newest'));
    await tab.locator('#to-end').click();
    await tab.waitForFunction(() => {
      const { scrollHeight, scrollTop, clientHeight } = document.getElementById('scroller');
      return scrollHeight - scrollTop - clientHeight < 2;
    });
    await isHidden(tab, '#to-end');
    await hasFocus(tab, 'message-field');
  },
  async '#send'() {
    const tab = await signedIn();
    const text = unique('@nobody hello');
    await tab.locator('#message-field').fill(text);
    await tab.locator('#send').click();
    await waitForEntry(tab, text, tab.user);
  },
  async 'messages retry'() {
    const { tab, entry, network } = await refused();
    await entry.locator('[data-do="retry"]').click();
    await tab.waitForFunction(() => document.activeElement.id === 'message-field');
    await entry.waitFor();
    const ids = network.callsOf('chatbot.say').map(({ id }) => id);
    assert.deepEqual(ids, [ids[0], ids[0]], 'the line is sent again with its id');
  },
  async 'messages stop'() {
    const tab = await signedIn();
    await say(tab, 'tell me a story');
    const question = await waitForEntry(tab, 'tell me a story', tab.user);
    await tab.locator(`#messages > li[data-id="${question}"] ~ li [data-do="stop"]`).first().click();
    await tab.locator(`#messages > li[data-id="${question}"] ~ li[data-state="stopped"]`).first().waitFor();
  },
  async 'messages fold'(t) {
    const { gateway, tab } = await ownConversation(t, 0);
    await gateway.publish('chat:lobby', message(words(2_000)));
    const button = tab.locator('#messages [data-do="fold"]');
    await button.click();
    await button.getByText('Show less').waitFor();
    await button.click();
    await button.getByText('Show more').waitFor();
  },
  async 'messages discard'() {
    const { entry, tab } = await refused();
    const number = await tab.locator('.entry[data-state="refused"]').count();
    await entry.locator('[data-do="discard"]').click();
    await tab.waitForFunction((left) => document.querySelectorAll('.entry[data-state="refused"]').length === left, number - 1);
  },
  ...Object.fromEntries(['help', 'tell me a story', 'count to 20', 'who is here', 'what time is it', 'fail', 'error'].map((text) => [`foot ${text}`, suggestion(text)])),
};

for (const [key, press] of Object.entries(BUTTONS)) {
  test(`the button ${key} works`, async (t) => {
    record.pressed.delete(key);
    await press(t);
    assert.ok(record.pressed.has(key), `the test of ${key} presses it; pressed were ${[...record.pressed].join(', ')}`);
  });
}

test('every button of the page has a test that presses it', () => {
  const known = Object.keys(BUTTONS);
  assert.deepEqual([...record.seen].filter((key) => !known.includes(key)), [], 'these buttons were on the page; BUTTONS needs a line for each');
  assert.deepEqual(known.filter((key) => !record.seen.has(key)), [], 'these buttons were not on the page; their lines in BUTTONS can go');
  const actions = known.map((key) => key.split(' ').at(-1));
  assert.deepEqual(buttonsOfScripts().filter((action) => !actions.includes(action)), [], 'the scripts make these buttons; BUTTONS needs a line for each');
});

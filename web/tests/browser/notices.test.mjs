// Notifications: toasts and the inbox.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAccessible, focused } from './access.mjs';
import { faultyNetwork, ready } from './chromium.mjs';
import { notification, notifyTab, openInbox, rowOf, words } from './notice-data.mjs';
import { publish, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const SIZES = [[1280, 720], [390, 844], [320, 568], [640, 360]];
const LEVELS = [['info', 'Information'], ['success', 'Success'], ['warning', 'Warning'], ['error', 'Error']];
const LONG = [
  { title: words(200), body: words(200), link: '/img/favicon.svg' },
  { title: words(200), body: words(4_000), level: 'warning' },
  { title: 'x'.repeat(200), body: 'y'.repeat(4_000), level: 'error' },
];

const { newContext, signedIn } = tabsOfFile();

const closeOf = (toast) => toast.locator('[data-do="close-toast"]');

/** Which parts of the page the toasts overlap, and which toasts are not wholly visible. */
function overlaps(tab) {
  return tab.evaluate(() => {
    const box = (element) => element.getBoundingClientRect();
    const parts = ['.chat-head h1', '#typing', '#composer', '.chips', '#banner', '#pill', '#bell', '#sign-out'].filter((part) => document.querySelector(part).checkVisibility());
    return [...document.querySelectorAll('.toast, .toast-more')].flatMap((toast) => {
      const it = box(toast);
      const found = parts.filter((part) => {
        const other = box(document.querySelector(part));
        return it.left < other.right && it.right > other.left && it.top < other.bottom && it.bottom > other.top;
      });
      const isOutside = it.left < 0 || it.top < 0 || it.right > innerWidth || it.bottom > innerHeight;
      return isOutside ? [...found, `outside: ${JSON.stringify(it)}`] : found;
    });
  });
}

/** The number of visible lines of the element. */
const lines = (locator) => locator.evaluate((element) => Math.round(element.clientHeight / parseFloat(getComputedStyle(element).lineHeight)));

for (const [width, height] of SIZES) {
  test(`long toasts cover neither the heading nor who is typing, the message field, the banner and the connection button (${width} by ${height})`, async () => {
    const context = await newContext({ viewport: { width, height }, reducedMotion: 'reduce' });
    const network = await faultyNetwork(context);
    const tab = await signedIn({ context });
    for (const fields of LONG) {
      const toast = await notifyTab(tab, fields);
      assert.ok(await lines(toast.locator('.toast-title')) <= 2, 'a title has two lines');
      const body = toast.locator('.toast-body');
      if (await body.isVisible()) assert.ok(await lines(body) <= 3, 'a body has three lines');
      assert.deepEqual(await overlaps(tab), []);
    }
    const newest = tab.locator('.toast').last();
    await closeOf(newest).focus();
    network.cut();
    await tab.locator('#banner').waitFor();
    await newest.waitFor();
    // The toasts move below the banner in the frame after it appears.
    await tab.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
    assert.deepEqual(await overlaps(tab), []);
  });
}

test('the inbox has the whole text, behind a button where it is cut', async () => {
  const tab = await signedIn({ viewport: { width: 390, height: 844 }, reducedMotion: 'reduce' });
  const long = notification({ title: words(200), body: words(4_000) });
  const short = notification({ title: 'Short', body: 'This fits.' });
  for (const data of [short, long]) await publish(`#${tab.user}`, data);
  await tab.locator(`.toast[data-id="${long.id}"]`).waitFor();
  await openInbox(tab);

  const [row, body] = [rowOf(tab, long.id), rowOf(tab, long.id).locator('.notice-body')];
  const more = row.locator('[data-do="show-more"]');
  await more.waitFor();
  assert.equal(await rowOf(tab, short.id).locator('[data-do="show-more"]').isVisible(), false, 'a short text has no button');
  assert.equal(await lines(body), 3);
  assert.equal(await lines(row.locator('.notice-title')), 2);
  await more.click();
  assert.equal(await more.getAttribute('aria-expanded'), 'true');
  assert.match(await more.textContent(), /^Show less/);
  assert.equal(await body.textContent(), long.body);
  assert.ok(await lines(body) > 20, 'all lines are visible');

  await publish(`#${tab.user}`, notification({ title: 'Another' }));
  await tab.locator('.notice', { hasText: 'Another' }).waitFor();
  assert.equal(await more.getAttribute('aria-expanded'), 'true', 'a new notification does not fold the text');
  await more.click();
  assert.equal(await more.getAttribute('aria-expanded'), 'false');
  assert.equal(await lines(body), 3);
});

test('each level has a word and an icon of its own, in the toast, in the inbox and when announced', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  await tab.evaluate(() => {
    globalThis.announced = [];
    for (const id of ['announcements', 'urgent-announcements']) {
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) for (const node of addedNodes) globalThis.announced.push(node.textContent);
      }).observe(document.getElementById(id), { childList: true });
    }
  });
  const icons = new Set();
  for (const [level, word] of LEVELS) {
    const toast = await notifyTab(tab, { level, title: `About ${level}`, body: 'Something happened' });
    assert.equal(await toast.locator('.level-word').innerText(), word);
    icons.add(await toast.locator('.level-mark use').getAttribute('href'));
    await tab.waitForFunction((text) => globalThis.announced.includes(text), `${word}: About ${level}. Something happened`);
  }
  assert.equal(icons.size, LEVELS.length, [...icons].join());
  await openInbox(tab);
  assert.deepEqual(await tab.locator('.notice .level-word').allInnerTexts(), LEVELS.map(([, word]) => word).reverse());
});

test('a long notification is announced by its beginning', async () => {
  const tab = await signedIn();
  await notifyTab(tab, { title: 'Long', body: words(4_000), level: 'error' });
  const announced = await tab.locator('#urgent-announcements').textContent();
  assert.ok(announced.startsWith('Error: Long. The quick') && announced.length < 400, announced);
});

for (const place of ['toast', 'inbox']) {
  test(`following the link in the ${place} marks the notification as read`, async () => {
    const tab = await signedIn({ reducedMotion: 'reduce' });
    const toast = await notifyTab(tab, { link: '/img/favicon.svg' });
    if (place === 'inbox') await openInbox(tab);
    await tab.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
    const link = place === 'toast' ? toast.locator('.open-link') : tab.locator('.notice .open-link');
    const [opened] = await Promise.all([tab.context().waitForEvent('page'), link.click()]);
    await opened.close();
    await tab.getByRole('button', { name: 'Notifications', exact: true }).waitFor();
    assert.equal(await tab.locator('.notice.unread').count(), 0);
  });
}

test('the ages in the open inbox are updated', async () => {
  const context = await newContext();
  await context.clock.install();
  const tab = await signedIn({ context });
  const data = notification();
  await publish(`#${tab.user}`, data);
  await openInbox(tab);
  const age = rowOf(tab, data.id).locator('time');
  await age.getByText('now', { exact: true }).waitFor();
  await tab.clock.fastForward('03:10');
  await age.getByText('3 minutes ago', { exact: true }).waitFor();
});

for (const [isAllowed, result] of [[true, 'Copied'], [false, 'Not copied. The command is selected: copy it.']]) {
  test(`the button shows for some seconds whether the command was copied (${result})`, async () => {
    const context = await newContext();
    await context.clock.install();
    await context.addInitScript((allowed) => {
      const clipboard = { writeText: (text) => (allowed ? Promise.resolve(void (globalThis.copied = text)) : Promise.reject(new Error('refused'))) };
      Object.defineProperty(navigator, 'clipboard', { value: clipboard });
    }, isAllowed);
    const tab = await signedIn({ context });
    await openInbox(tab);
    const command = await tab.locator('#example').textContent();
    await tab.locator('#copy').click();
    await tab.locator('#copy-text', { hasText: result }).waitFor();
    assert.equal(await tab.evaluate(() => globalThis.copied ?? getSelection().toString()), command);
    await tab.clock.fastForward(5_000);
    await tab.locator('#copy-text', { hasText: 'Copy the command' }).waitFor();
  });
}

test('the inbox says how many older notifications it does not keep, and a removed one is not new again', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  const all = Array.from({ length: 103 }, (_, at) => notification({ title: `Number ${at}` }));
  for (const data of all) await publish(`#${tab.user}`, data);
  await tab.getByRole('button', { name: 'Notifications, 100 unread' }).waitFor();
  await tab.locator('.toast', { hasText: 'Number 102' }).waitFor();
  assert.ok(await tab.locator('.toast').count() <= 4);
  await tab.locator('.toast-more', { hasText: 'more in Notifications' }).waitFor();

  await openInbox(tab);
  await tab.locator('#inbox-removed', { hasText: '3 older notifications are not kept.' }).waitFor();
  await publish(`#${tab.user}`, all[0]);
  await publish(`#${tab.user}`, notification({ title: 'Last' }));
  await tab.locator('.notice', { hasText: 'Last' }).waitFor();
  assert.equal(await rowOf(tab, all[0].id).count(), 0);
  await tab.reload();
  await ready(tab);
  await openInbox(tab);
  await tab.locator('#inbox-removed', { hasText: '4 older notifications are not kept.' }).waitFor();
  assert.equal(await tab.locator('.notice').count(), 100);
});

test('all notifications of the history are there at the first sign-in', async () => {
  const user = unique('alice');
  for (let at = 0; at < 70; at += 1) await publish(`#${user}`, notification());
  const tab = await signedIn({ user });
  await tab.getByRole('button', { name: 'Notifications, 70 unread' }).waitFor();
  await tab.locator('.toast', { hasText: '70 notifications while you were away' }).waitFor();
  assert.equal(await tab.locator('.toast').count(), 1);
});

test('many notifications after a lost connection make one toast', async () => {
  const context = await newContext({ reducedMotion: 'reduce' });
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  network.cut();
  await tab.waitForSelector('body[data-connection="waiting"]');
  for (let at = 0; at < 6; at += 1) await publish(`#${tab.user}`, notification());
  network.restore();
  await tab.locator('.toast', { hasText: '6 notifications while you were away' }).waitFor();
  assert.equal(await tab.locator('.toast').count(), 1);
});

test('with the keyboard, closing a toast leads to the next one, then back to the place before', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  const [one, two, three] = [await notifyTab(tab), await notifyTab(tab), await notifyTab(tab)];
  await tab.locator('#send').evaluate(() => document.getElementById('message-field').focus());
  await closeOf(two).focus();
  await tab.keyboard.press('Enter');
  assert.equal(await two.count(), 0);
  assert.equal(await closeOf(three).evaluate((button) => button === document.activeElement), true, 'the next toast');
  await tab.keyboard.press('Escape');
  assert.equal(await three.count(), 0);
  assert.equal(await closeOf(one).evaluate((button) => button === document.activeElement), true, 'the toast that is left');
  await tab.keyboard.press('Escape');
  assert.equal(await focused(tab), 'message-field');
});

test('after a click on a toast\'s close button a person goes on typing', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  const [one, two] = [await notifyTab(tab), await notifyTab(tab)];
  await tab.locator('#bell').focus();
  await closeOf(one).click();
  assert.equal(await focused(tab), 'bell', 'the place before');
  await tab.evaluate(() => document.activeElement.blur());
  await closeOf(two).click();
  assert.equal(await focused(tab), 'message-field');
});

test('a touch on a toast\'s close button keeps the focus on the page and does not open the keyboard', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce', hasTouch: true, viewport: { width: 390, height: 844 } });
  const toast = await notifyTab(tab);
  await tab.evaluate(() => document.activeElement.blur());
  await closeOf(toast).tap();
  assert.equal(await focused(tab), 'scroller');
});

test('on a phone with the panel open, a toast leaves its close button free and returns the focus to the panel', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce', viewport: { width: 390, height: 844 } });
  await tab.locator('#pill').click();
  await tab.locator('#side').waitFor();
  const toast = await notifyTab(tab);
  const [box, button] = [await toast.boundingBox(), await tab.locator('#side-close').boundingBox()];
  assert.ok(box.y >= button.y + button.height, JSON.stringify([box, button]));
  await closeOf(toast).evaluate((element) => element.focus());
  await tab.evaluate(() => document.getElementById('side-close').remove());
  await tab.keyboard.press('Escape');
  assert.equal(await focused(tab), 'side-title');
  assert.equal(await tab.locator('#side').isVisible(), true, 'Escape closes the toast alone');
});

test('a toast waits while the pointer or the focus is on it, and while the inbox hides it', async () => {
  const context = await newContext({ reducedMotion: 'reduce' });
  await context.clock.install();
  const tab = await signedIn({ context });
  const wait = () => tab.clock.fastForward(9_000);
  const toast = await notifyTab(tab);
  await toast.hover();
  await wait();
  assert.equal(await toast.count(), 1, 'the pointer is on it');
  await closeOf(toast).focus();
  await tab.mouse.move(5, 5);
  await wait();
  assert.equal(await toast.count(), 1, 'the focus is on it');
  await tab.locator('#message-field').focus();
  await tab.evaluate(() => new Promise((resolve) => { setTimeout(resolve); }));
  await wait();
  await toast.waitFor({ state: 'detached' });

  await openInbox(tab);
  await tab.evaluate(async () => (await import('./js/notices/toasts.js')).toast({ title: 'Not a notification', level: 'error' }));
  const other = tab.locator('.toast', { hasText: 'Not a notification' });
  await wait();
  assert.equal(await other.isVisible(), false);
  await tab.keyboard.press('Escape');
  await other.waitFor();
});

test('a right-to-left text is laid out from right to left', async () => {
  const tab = await signedIn({ reducedMotion: 'reduce' });
  const texts = { title: 'مرحبا بالعالم', body: 'هذا نص بالعربية.' };
  const toast = await notifyTab(tab, texts);
  const directions = (locator) => locator.evaluateAll((elements) => elements.map((element) => getComputedStyle(element).direction));
  assert.deepEqual(await directions(toast.locator('.toast-title, .toast-body')), ['rtl', 'rtl']);
  await openInbox(tab);
  assert.deepEqual(await directions(tab.locator('.notice-title, .notice-body')), ['rtl', 'rtl']);
});

for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['light', 320]]) {
  test(`axe-core finds nothing in toasts and inbox (${colorScheme}, ${width})`, async () => {
    const tab = await signedIn({ colorScheme, viewport: { width, height: 720 }, reducedMotion: 'reduce' });
    for (const [level] of LEVELS) await notifyTab(tab, { level, body: 'Something happened', link: '/img/favicon.svg' });
    await assertAccessible(tab, 'a toast of each level');
    for (const fields of LONG) await notifyTab(tab, fields);
    await assertAccessible(tab, 'long toasts');
    await openInbox(tab);
    await assertAccessible(tab, 'a full inbox');
    await tab.locator('[data-do="show-more"]:visible').first().click();
    await assertAccessible(tab, 'a whole text');
    await tab.locator('#mark-read').click();
    await assertAccessible(tab, 'everything read');
  });
}

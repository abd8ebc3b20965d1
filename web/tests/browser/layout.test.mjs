// The layout of the page: every state at every width, in light, dark and forced colours, and at 200 % zoom.

import assert from 'node:assert/strict';
import test from 'node:test';
import { violations } from './access.mjs';
import { faultyNetwork, say, signIn, waitForEntry } from './chromium.mjs';
import { notify, unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';
import { tour } from './tour.mjs';

const { newContext, open, signedIn } = tabsOfFile({ reducedMotion: 'reduce' });

/** How many pixels the page is wider than its window. */
const excess = (tab) => tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);

const TOURS = [
  [{ width: 1280, height: 720 }, ['light', 'dark']],
  [{ width: 390, height: 760 }, ['light', 'dark']],
  [{ width: 320, height: 640 }, ['light']],
];
for (const [viewport, schemes] of TOURS) {
  test(`in every state axe-core finds nothing and the page does not scroll sideways (${viewport.width} px, ${schemes.join(' and ')})`, async () => {
    const found = [];
    const looks = schemes.map((colorScheme) => async (tab, state) => {
      await tab.emulateMedia({ colorScheme });
      found.push(...(await violations(tab)).map((line) => `${state}, ${colorScheme}: ${line}`));
      const wider = await excess(tab);
      if (wider > 0) found.push(`${state}, ${colorScheme}: the page is ${wider} px wider than its window`);
    });
    const context = await newContext({ viewport });
    const network = await faultyNetwork(context);
    await tour({ context, network, tab: await open({ context, expected: /ERR_INTERNET_DISCONNECTED/ }) }, looks);
    assert.deepEqual(found, []);
  });
}

test('a page that is read from right to left does not scroll sideways, and is mirrored', async () => {
  const tab = await open({ viewport: { width: 320, height: 640 } });
  await tab.evaluate(() => { document.documentElement.dir = 'rtl'; });
  assert.ok(await excess(tab) <= 0);
  await signIn(tab, unique('alice'));
  assert.ok(await excess(tab) <= 0);
  const brand = await tab.locator('.bar .brand').boundingBox();
  assert.ok(brand.x > 160, 'the name of the page is at the right');
  const [field, send] = [await tab.locator('#message-field').boundingBox(), await tab.locator('#send').boundingBox()];
  assert.ok(send.x < field.x, 'Send is at the left of the field');
});

/** How many lines of the last entry are visible in full. */
function visibleLines(tab) {
  return tab.evaluate(() => {
    const range = document.createRange();
    range.selectNodeContents(document.querySelector('#messages > li:last-child .entry-text'));
    const { top, bottom } = document.getElementById('scroller').getBoundingClientRect();
    const lines = [...range.getClientRects()].filter((line) => line.top >= top && line.bottom <= bottom);
    return new Set(lines.map((line) => Math.round(line.top))).size;
  });
}

test('at 200 % zoom of a window of 1280 x 720 at least six lines of the conversation are visible, with a banner too', async () => {
  const context = await newContext({ viewport: { width: 640, height: 360 }, deviceScaleFactor: 2 });
  const network = await faultyNetwork(context);
  const tab = await signedIn({ context });
  const text = unique('@nobody');
  await say(tab, `${text} ${'many words '.repeat(90)}`);
  await waitForEntry(tab, text, tab.user);
  assert.ok(await visibleLines(tab) >= 6, `${await visibleLines(tab)} lines`);
  network.cut();
  await tab.locator('#banner').waitFor();
  assert.ok(await visibleLines(tab) >= 6, `${await visibleLines(tab)} lines under a banner`);
  assert.ok(await excess(tab) <= 0);
});

test('the message field is at the lower edge of the page, and nothing covers the last line', async () => {
  for (const viewport of [{ width: 1280, height: 720 }, { width: 390, height: 760 }]) {
    const tab = await signedIn({ viewport });
    const text = unique('@nobody');
    await say(tab, text);
    await waitForEntry(tab, text, tab.user);
    const measured = await tab.evaluate(() => {
      const box = (selector) => document.querySelector(selector).getBoundingClientRect();
      return {
        underField: innerHeight - box('.composer').bottom,
        overFoot: box('.foot').top - box('#messages > li:last-child .bubble').bottom,
        fade: getComputedStyle(document.querySelector('.foot'), '::before').content,
      };
    });
    assert.ok(measured.underField <= 16, `${measured.underField} px under the field`);
    assert.ok(measured.overFoot >= 4, `${measured.overFoot} px between the last line and the foot`);
    assert.equal(measured.fade, 'none');
  }
});

test('who is typing is shown without moving the conversation', async () => {
  const bob = unique('bob');
  const [one, two] = [await signedIn(), await signedIn({ user: bob })];
  const height = () => one.evaluate(() => document.getElementById('scroller').clientHeight);
  const before = await height();
  await two.locator('#message-field').pressSequentially('words');
  await one.locator('#typing.on', { hasText: `${bob} is writing` }).waitFor();
  assert.equal(await height(), before);
});

/** The contrast of the border of each visible element to the colour behind it, where it is below 3. */
function weakBorders(tab, selector) {
  return tab.$$eval(selector, (elements) => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const behind = (element) => {
      const color = element ? rgba(getComputedStyle(element).backgroundColor) : [255, 255, 255, 255];
      return color[3] === 255 ? color : behind(element.parentElement);
    };
    const luminance = (color) => color.slice(0, 3).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);
    return elements.filter((element) => element.checkVisibility()).map((element) => {
      const border = rgba(getComputedStyle(element).borderTopColor);
      const least = Math.min(contrast(border, behind(element)), contrast(border, behind(element.parentElement)));
      return { what: element.id || element.className, least };
    }).filter(({ least }) => least < 3).map(({ what, least }) => `${what}: ${least.toFixed(2)}`);
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`fields and buttons that only their border shows have a border of 3:1 (${colorScheme})`, async () => {
    const tab = await open({ colorScheme });
    await tab.locator('#name').waitFor();
    await tab.locator('#name').blur();
    assert.deepEqual(await weakBorders(tab, '#name'), []);
    await tab.locator('#name').focus();
    await signIn(tab, unique('alice'));
    await tab.locator('#message-field').blur();
    assert.equal(await tab.locator('.chip').count(), 7);
    assert.deepEqual(await weakBorders(tab, '.composer, .chip, .pill, .button:not(.primary)'), []);
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`more contrast on request makes the dividing lines as strong (${colorScheme})`, async () => {
    const tab = await signedIn({ colorScheme, contrast: 'more' });
    assert.ok(await tab.locator('.card:visible').count() > 3);
    assert.deepEqual(await weakBorders(tab, '.card:not(.side-head + .card)'), []);
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`forced colours keep focus, state, levels and edges visible (${colorScheme})`, async () => {
    const tab = await open({ forcedColors: 'active', colorScheme });
    const user = unique('alice');
    const edge = (selector) => tab.locator(selector).first().evaluate((element) => {
      const style = getComputedStyle(element);
      return { border: style.borderTopStyle !== 'none' && parseFloat(style.borderTopWidth) > 0 && style.borderTopColor !== getComputedStyle(element.parentElement).backgroundColor, outline: style.outlineStyle, fill: style.backgroundColor };
    });
    await tab.locator('#name').waitFor();
    assert.equal((await edge('#name')).outline, 'solid');
    await signIn(tab, user);
    assert.equal((await edge('.composer')).outline, 'solid', 'the message field shows its focus');
    await say(tab, unique('@nobody'));
    for (const level of ['info', 'success', 'warning', 'error']) await notify(user, unique(level), level);
    await tab.locator('.toast').nth(3).waitFor();
    for (const selector of ['.bubble', '.toast', '.toast .level-mark', '#unread', '.send', '.pill', '.chip', '#me-picture .avatar', '.pill .status-dot']) {
      assert.ok((await edge(selector)).border, `${selector} has a visible edge`);
    }
    const connected = (await edge('.pill .status-dot')).fill;
    await tab.locator('#cut').click();
    await tab.waitForSelector('body[data-connection="cut"]');
    assert.notEqual((await edge('.pill .status-dot')).fill, connected, 'the dot is filled only while the page is connected');
  });
}

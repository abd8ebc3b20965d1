// Names, contrast, landmarks, the keyboard and the widths of the page.

import assert from 'node:assert/strict';
import test from 'node:test';
import { say, signIn, waitForEntry } from './chromium.mjs';
import { unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { open, signedIn } = tabsOfFile();

/** Visible controls without an accessible name. */
function controlsWithoutName(tab) {
  return tab.$$eval('button, a[href], input, textarea, select, [role="button"], [tabindex="0"]', (controls) => controls
    .filter((control) => control.checkVisibility())
    .filter((control) => {
      const labels = [...(control.labels ?? [])].map((label) => label.textContent).join('');
      const by = (control.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
      const own = control.matches('input, textarea, select') ? '' : control.textContent;
      return (control.getAttribute('aria-label') ?? '').trim() + labels.trim() + by.trim() + own.trim() === '';
    })
    .map((control) => control.outerHTML.slice(0, 120)));
}

/** Text with too little contrast to its background (WCAG AA: 4.5, large text 3). */
function textsWithLowContrast(tab) {
  return tab.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const over = ([r, g, b, a], under) => [r, g, b].map((value, i) => value * (a / 255) + under[i] * (1 - a / 255));
    const behind = (element) => {
      if (!element) return [255, 255, 255];
      const color = rgba(getComputedStyle(element).backgroundColor);
      return color[3] === 255 ? color.slice(0, 3) : over(color, behind(element.parentElement));
    };
    const luminance = (color) => color.map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
      .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const found = [];
    for (const element of document.body.querySelectorAll('*')) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '');
      if (!hasText || !element.checkVisibility({ opacityProperty: true }) || element.closest('.sr-only, :disabled, noscript, .skip')) continue;
      const style = getComputedStyle(element);
      const back = behind(element);
      const [light, dark] = [luminance(over(rgba(style.color), back)), luminance(back)].sort((a, b) => b - a);
      const contrast = (light + 0.05) / (dark + 0.05);
      const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
      if (contrast < (isLarge ? 3 : 4.5)) found.push(`${contrast.toFixed(2)} ${element.className || element.tagName}: ${element.textContent.trim().slice(0, 40)}`);
    }
    return [...new Set(found)];
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`every control has a name and every text has enough contrast (${colorScheme})`, async () => {
    const tab = await open({ colorScheme, reducedMotion: 'reduce' });
    await tab.locator('#name').waitFor();
    assert.deepEqual(await controlsWithoutName(tab), []);
    assert.deepEqual(await textsWithLowContrast(tab), []);
    const user = unique('alice');
    await signIn(tab, user);
    const text = unique('hello');
    await say(tab, text);
    await waitForEntry(tab, text, user);
    await tab.locator('#bell').click();
    await tab.locator('#inbox').waitFor();
    assert.deepEqual(await controlsWithoutName(tab), []);
    assert.deepEqual(await textsWithLowContrast(tab), []);
  });
}

test('the page has its landmarks, one first-level heading and live regions', async () => {
  const tab = await signedIn();
  for (const [selector, number] of [['main:not([hidden])', 1], ['header.bar', 1], ['aside[aria-labelledby]', 1], ['#app h1', 1]]) {
    assert.equal(await tab.locator(selector).count(), number, selector);
  }
  assert.equal(await tab.locator('#announcements').getAttribute('aria-live'), 'polite');
  assert.equal(await tab.locator('#urgent-announcements').getAttribute('aria-live'), 'assertive');
  assert.equal(await tab.evaluate(() => document.documentElement.lang), 'en');
  const twice = await tab.evaluate(() => [...document.querySelectorAll('[id]')].map(({ id }) => id).filter((id, i, all) => all.indexOf(id) !== i));
  assert.deepEqual(twice, []);
});

test('the page works with the keyboard alone, and the focus is visible and never lost', async () => {
  const tab = await signedIn();
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'message-field');
  const text = unique('typed');
  await tab.keyboard.type(text);
  await tab.keyboard.press('Enter');
  await waitForEntry(tab, text, tab.user);

  await tab.locator('#bell').focus();
  await tab.keyboard.press('Enter');
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'inbox-title');
  await tab.keyboard.press('Escape');
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'bell');
  await tab.keyboard.press('Tab');
  const outline = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid');
});

test('an invalid name is explained', async () => {
  const tab = await open();
  await tab.locator('#name').fill('not\u200ba name');
  await tab.keyboard.press('Enter');
  await tab.locator('#name-problem', { hasText: 'invisible characters' }).waitFor();
  assert.equal(await tab.locator('#name').getAttribute('aria-invalid'), 'true');
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'name');
});

for (const width of [320, 360, 768, 1280, 2560]) {
  test(`nothing overflows at a width of ${width}`, async () => {
    const tab = await open({ viewport: { width, height: 740 } });
    const fits = () => tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    assert.equal(await fits(), true, 'sign-in');
    const user = unique('alice');
    await signIn(tab, user);
    await say(tab, `${'long'.repeat(80)}${user}`);
    await waitForEntry(tab, user, user);
    assert.equal(await fits(), true, 'conversation');
    const side = tab.locator('#side');
    if (!await side.isVisible()) await tab.locator('#pill').click();
    await side.waitFor();
    assert.equal(await fits(), true, 'panel');
  });
}

test('the server sends the required headers', async () => {
  const tab = await open();
  const policy = tab.headers['content-security-policy'] ?? '';
  for (const part of ["script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]) assert.ok(policy.includes(part), `${part} in ${policy}`);
  assert.ok(!policy.includes('unsafe'), policy);
  assert.equal(tab.headers['x-content-type-options'], 'nosniff');
});

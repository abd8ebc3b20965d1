// The frame of the page: announcements, focus, the first screen.

import assert from 'node:assert/strict';
import test from 'node:test';
import { focused } from './access.mjs';
import { faultyNetwork, ready, signIn } from './chromium.mjs';
import { unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, open, signedIn } = tabsOfFile({ reducedMotion: 'reduce' });
const PHONE = { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true };

/** Waits until this element has the focus. */
function takesFocus(tab, id) {
  return tab.waitForFunction((expected) => document.activeElement?.id === expected, id);
}

// --- Announcements

/** Records what is added to and removed from the regions, with the time. */
function recordAnnouncements(tab) {
  return tab.evaluate(() => {
    globalThis.announced = [];
    for (const id of ['announcements', 'urgent-announcements']) {
      new MutationObserver((records) => {
        for (const { addedNodes, removedNodes } of records) {
          for (const node of addedNodes) globalThis.announced.push({ added: node.textContent, at: performance.now() });
          for (const node of removedNodes) globalThis.announced.push({ removed: node.textContent, at: performance.now() });
        }
      }).observe(document.getElementById(id), { childList: true, subtree: true, characterData: true });
    }
  });
}

test('a live region is not atomic, so that a new line is read alone', async () => {
  const tab = await open();
  for (const id of ['announcements', 'urgent-announcements']) {
    const node = await accessibilityNode(tab, `#${id}`);
    assert.equal(node.atomic, false, `#${id} in the accessibility tree`);
    assert.equal(node.live, id === 'announcements' ? 'polite' : 'assertive');
  }
});

async function accessibilityNode(tab, selector) {
  const session = await tab.context().newCDPSession(tab);
  const { root } = await session.send('DOM.getDocument');
  const { nodeId } = await session.send('DOM.querySelector', { nodeId: root.nodeId, selector });
  const { nodes } = await session.send('Accessibility.getPartialAXTree', { nodeId, fetchRelatives: false });
  return Object.fromEntries(nodes[0].properties.map(({ name, value }) => [name, value.value]));
}

test('each line is announced once and leaves after its own time', async () => {
  const tab = await signedIn();
  await recordAnnouncements(tab);
  const lines = [unique('first'), unique('second'), unique('third')];
  const pauses = [1_500, 1_500, 0];
  await tab.evaluate(async ([texts, waits]) => {
    const { announce } = await import('./js/page/announce.js');
    for (const [index, text] of texts.entries()) {
      announce(text);
      await new Promise((resolve) => { setTimeout(resolve, waits[index]); });
    }
  }, [lines, pauses]);
  await tab.waitForFunction((last) => globalThis.announced.some(({ removed }) => removed === last), lines.at(-1));
  const records = await tab.evaluate(() => globalThis.announced);
  for (const line of lines) {
    const [added, ...again] = records.filter((record) => record.added === line);
    const [removed] = records.filter((record) => record.removed === line);
    assert.equal(again.length, 0, `${line} is added once`);
    const shownFor = removed.at - added.at;
    assert.ok(shownFor > 5_800 && shownFor < 7_300, `${line} stayed for ${Math.round(shownFor)} ms`);
  }
});

test('a flood of announcements keeps the region small', async () => {
  const tab = await open();
  const kept = await tab.evaluate(async () => {
    const { announce } = await import('./js/page/announce.js');
    for (let i = 0; i < 500; i += 1) announce(`line ${i}`);
    const region = document.getElementById('announcements');
    return [region.children.length, region.lastElementChild.textContent];
  });
  assert.deepEqual(kept, [20, 'line 499']);
});

// --- Focus

test('after Send the focus is in the message field, with a mouse', async () => {
  const tab = await signedIn();
  await tab.locator('#message-field').fill('@nobody by mouse');
  await tab.locator('#send').click();
  await takesFocus(tab, 'message-field');
  await tab.locator('#send:disabled').waitFor();
  assert.equal(await focused(tab), 'message-field');
});

test('after Send the focus is in the message field, by touch', async () => {
  const tab = await signedIn(PHONE);
  await tab.locator('#message-field').fill('@nobody by touch');
  await tab.locator('#send').tap();
  await tab.locator('#send:disabled').waitFor();
  await takesFocus(tab, 'message-field');
});

test('cutting the connection keeps the focus on its button, and the button works again after it', async () => {
  const tab = await signedIn();
  await tab.locator('#cut').focus();
  await tab.keyboard.press('Enter');
  await tab.waitForSelector('body[data-connection="cut"]');
  assert.equal(await tab.locator('#cut').getAttribute('aria-disabled'), 'true');
  assert.equal(await focused(tab), 'cut');
  await tab.keyboard.press('Enter');
  await ready(tab);
  assert.equal(await focused(tab), 'cut');
  assert.equal(await tab.locator('#cut').getAttribute('aria-disabled'), 'false');
  assert.equal(await tab.locator('#connection-log li', { hasText: 'Connection cut' }).count(), 1, 'an unavailable button does nothing');
});

for (const [place, next] of [['#banner', 'message-field'], ['#side', 'cut']]) {
  test(`when Try now in ${place} goes, the focus goes to ${next}`, async () => {
    const context = await newContext();
    const network = await faultyNetwork(context);
    const tab = await signedIn({ context });
    network.cut();
    const button = tab.locator(`${place} [data-do="try-now"]`);
    await button.waitFor();
    await button.focus();
    network.restore();
    await tab.keyboard.press('Enter');
    await ready(tab);
    await button.waitFor({ state: 'hidden' });
    await takesFocus(tab, next);
  });
}

test('Connect again loads the page and puts the focus into the message field', async () => {
  const context = await newContext();
  await context.routeWebSocket('**/connection/websocket', (socket) => socket.close({ code: 3503, reason: 'force disconnect' }));
  const tab = await open({ context });
  await tab.waitForFunction(() => document.activeElement?.id === 'name');
  await tab.locator('#name').fill(unique('alice'));
  await tab.keyboard.press('Enter');
  const again = tab.locator('#again');
  await again.waitFor(); // a key goes elsewhere while the button is hidden
  await Promise.all([tab.waitForEvent('load'), again.press('Enter')]);
  await takesFocus(tab, 'message-field');
});

test('the inbox hands the focus back to its button, closed by Escape or by its own button', async () => {
  const tab = await signedIn();
  for (const close of [() => tab.keyboard.press('Escape'), () => tab.locator('#inbox-close').click()]) {
    await tab.locator('#bell').click();
    await takesFocus(tab, 'inbox-title');
    await close();
    await takesFocus(tab, 'bell');
  }
});

test('the panel on a phone takes the focus and hands it back, closed by Escape, its button or the pill', async () => {
  const tab = await signedIn(PHONE);
  for (const close of [() => tab.keyboard.press('Escape'), () => tab.locator('#side-close').tap(), () => tab.locator('#pill').tap()]) {
    await tab.locator('#pill').tap();
    await takesFocus(tab, 'side-title');
    await close();
    await tab.locator('#side').waitFor({ state: 'hidden' });
    await takesFocus(tab, 'pill');
  }
});

test('Escape closes first what lies on top: the inbox, then the panel', async () => {
  const tab = await signedIn(PHONE);
  await tab.locator('#pill').tap();
  await tab.locator('#bell').tap();
  await tab.keyboard.press('Escape');
  await tab.locator('#inbox').waitFor({ state: 'hidden' });
  assert.equal(await tab.locator('#side').isVisible(), true);
  await tab.keyboard.press('Escape');
  await tab.locator('#side').waitFor({ state: 'hidden' });
});

test('a panel that goes because the window becomes narrow hands the focus to the pill', async () => {
  const tab = await signedIn({ viewport: { width: 1280, height: 720 } });
  await tab.locator('#cut').focus();
  await tab.setViewportSize({ width: 800, height: 720 });
  await tab.locator('#side').waitFor({ state: 'hidden' });
  await takesFocus(tab, 'pill');
});

test('a sign-in with the mouse leads to the message field, a sign-out to the name', async () => {
  const tab = await open();
  await tab.locator('#name').fill(unique('alice'));
  await tab.locator('#enter').click();
  await ready(tab);
  await takesFocus(tab, 'message-field');
  await tab.locator('#sign-out').click();
  await tab.locator('#name').waitFor();
  await takesFocus(tab, 'name');
});

test('while a sign-in waits, the button keeps the focus and sends nothing else', async () => {
  const tab = await open({ expected: /status of 500/ });
  let requests = 0;
  const answers = [];
  await tab.route('**/demo/token', (route) => {
    requests += 1;
    answers.push(() => route.fulfill({ status: 500, body: '' }));
  });
  await tab.locator('#name').fill(unique('alice'));
  await tab.locator('#enter').click();
  await tab.locator('#enter', { hasText: 'Connecting…' }).waitFor();
  assert.equal(await focused(tab), 'enter');
  await tab.keyboard.press('Enter');
  answers.forEach((answer) => answer());
  await tab.locator('#name-problem', { hasText: 'cannot sign you in' }).waitFor();
  await takesFocus(tab, 'name');
  assert.equal(requests, 1);
});

test('with the keyboard alone every control of the page gets the focus, visibly, and none loses it', async () => {
  const tab = await signedIn({ viewport: { width: 1280, height: 720 } });
  const seen = new Set();
  for (let i = 0; i < 60; i += 1) {
    await tab.keyboard.press('Tab');
    const at = await tab.evaluate(() => {
      const element = document.activeElement;
      const ring = getComputedStyle(element.id === 'message-field' ? element.closest('.composer') : element);
      return { name: element === document.body ? 'body' : element.id || element.dataset.say || element.dataset.do || element.className || element.tagName, isVisible: ring.outlineStyle !== 'none' || ring.boxShadow !== 'none' };
    });
    if (at.name === 'body') continue; // The end of the page: the browser's own controls follow, then the page begins again.
    assert.ok(at.isVisible, `${at.name} shows its focus`);
    seen.add(at.name);
  }
  for (const name of ['skip', 'pill', 'bell', 'theme', 'sign-out', 'scroller', 'help', 'fail', 'error', 'message-field', 'cut']) assert.ok(seen.has(name), `${name} in ${[...seen]}`);
});

// --- The first screen

test('a name that is too long stays in the field, with a counter and a sentence', async () => {
  const tab = await open();
  const field = tab.locator('#name');
  await field.waitFor();
  assert.equal(await tab.locator('#name-count').textContent(), '');
  await field.fill('');
  await field.pressSequentially('x'.repeat(28));
  await tab.locator('#name-count', { hasText: '28 of 32 characters' }).waitFor();
  await field.pressSequentially('y'.repeat(10));
  assert.equal(await field.inputValue(), 'x'.repeat(28) + 'y'.repeat(10), 'nothing is cut off');
  await tab.locator('#name-count.over', { hasText: '38 of 32 characters' }).waitFor();
  assert.equal(await tab.locator('#announcements p', { hasText: 'at most 32 characters' }).count(), 1);
  await tab.keyboard.press('Enter');
  await tab.locator('#name-problem', { hasText: 'at most 32 characters' }).waitFor();
  assert.equal(await field.inputValue(), 'x'.repeat(28) + 'y'.repeat(10));
});

const FAILURES = [
  ['a reserved name', { status: 400, contentType: 'application/problem+json', body: JSON.stringify({ type: 'about:blank', title: 'Bad Request', status: 400, code: 'bad_request', retryable: false, detail: 'The user "bot" is reserved.' }) }, 'The user "bot" is reserved.'],
  ['a refusal', { status: 403, contentType: 'application/problem+json', body: JSON.stringify({ detail: 'Pages of this origin may not connect.' }) }, 'Pages of this origin may not connect.'],
  ['too many sign-ins', { status: 429, headers: { 'Retry-After': '9' }, body: '' }, 'Too many sign-ins at once. Try again in 9 s.'],
  ['too many sign-ins without a time', { status: 429, body: '' }, 'Too many sign-ins at once. Try again in a moment.'],
  ['a failure of the gateway', { status: 502, body: '<html>' }, 'The gateway cannot sign you in now (error 502). Try again in a moment.'],
  ['a failure without a body', { status: 500, contentType: 'application/json', body: 'null' }, 'The gateway cannot sign you in now (error 500). Try again in a moment.'],
  ['no demo', { status: 404, body: '' }, 'This gateway issues no demo tokens: its setting demo.enabled is false.'],
  ['no answer', null, 'The gateway does not answer. Is it running?'],
];
for (const [what, answer, text] of FAILURES) {
  test(`${what} is explained at the field of the name`, async () => {
    const tab = await open({ expected: /status of [45]|request failed: .*\/demo\/token|ERR_FAILED/ });
    await tab.route('**/demo/token', (route) => (answer ? route.fulfill(answer) : route.abort()));
    await tab.locator('#name').fill('Bot');
    await tab.locator('#enter').click();
    await tab.locator('#name-problem').waitFor();
    assert.equal(await tab.locator('#name-problem').textContent(), text);
    assert.equal(await tab.locator('#name').getAttribute('aria-invalid'), 'true');
    await takesFocus(tab, 'name');
    assert.equal(await tab.locator('#enter').textContent(), 'Connect');
  });
}

// --- Parts

test('failures stand apart from suggestions, with a label', async () => {
  const tab = await signedIn();
  const suggestions = tab.getByRole('group', { name: 'Ask the chat bot' });
  const failures = tab.getByRole('group', { name: 'Try a failure' });
  assert.deepEqual(await suggestions.getByRole('button').allTextContents(), ['help', 'tell me a story', 'count to 20', 'who is here', 'what time is it']);
  assert.deepEqual(await failures.getByRole('button').allTextContents(), ['fail halfway', 'refuse a call']);
});

test('every suggestion and every failure sends its line', async () => {
  const tab = await signedIn();
  for (const chip of await tab.locator('.chip').all()) {
    const line = await chip.getAttribute('data-say');
    await chip.click();
    await tab.locator(`#messages > li[data-from="${tab.user}"]`).filter({ hasText: line }).last().waitFor();
  }
});

test('the version and the links to the documentation are on the first screen and in the panel', async () => {
  const tab = await open();
  await tab.route('**/demo/nodes', (route) => route.fulfill({ json: { here: 'a', version: '1.2.3', api: 'http://127.0.0.1:8001', nodes: [] } }));
  await tab.reload();
  const check = async (place) => {
    await place.waitFor();
    assert.match(await place.textContent(), /^Switchboard 1\.2\.3/);
    assert.deepEqual(await place.locator('a').evaluateAll((links) => links.map(({ href }) => href)), ['http://127.0.0.1:8001/docs/', 'http://127.0.0.1:8001/openapi.json']);
  };
  await check(tab.locator('#sign-in .about'));
  await signIn(tab, unique('alice'));
  await check(tab.locator('#side .about'));
});

test('a link to the documentation that is no web address is not offered', async () => {
  const tab = await open();
  await tab.route('**/demo/nodes', (route) => route.fulfill({ json: { here: 'a', version: '1.2.3', api: 'javascript:alert(1)', nodes: [] } }));
  await tab.reload();
  await tab.locator('#sign-in .about').waitFor();
  assert.equal(await tab.locator('.about a').count(), 0);
});

/**
 * Tabs of a test file. A tab that has been emptied serves later tests of its file, because a new browser context takes longer than most
 * tests. A test fails if one of its tabs had an error that it did not expect.
 */

import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { launch, loadPage, newTab, signIn } from './chromium.mjs';
import { page, unique } from './stack.mjs';

/** What can change in an open tab, with the usual values. Tabs that differ in other options do not replace each other. */
const VIEWPORT = { width: 1280, height: 720 };
const MEDIA = { colorScheme: 'light', reducedMotion: 'no-preference', forcedColors: 'none', contrast: 'no-preference' };

const { origin } = new URL(page);
/** An empty document at the page's origin, which requests no icon. */
const IDLE = `${origin}/idle`;
const IDLE_DOCUMENT = { contentType: 'text/html', body: '<!doctype html><link rel="icon" href="data:,">' };

/**
 * Call once for each test file. `prepare` is called with each new browser context; `usual` has options of all its tabs. A test that
 * routes sockets, sets the clock or goes offline needs a context of its own, from `newContext`.
 */
export function tabsOfFile({ prepare = async () => {}, ...usual } = {}) {
  let browser;
  let contexts = [];
  let tabs = [];
  const idle = [];
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  afterEach(async () => {
    const problems = tabs.flatMap((tab) => tab.problems.filter((problem) => !tab.expected?.test(problem)));
    await Promise.all([...contexts.map((context) => context.close()), ...tabs.filter(({ kind }) => kind).map(putBack)]);
    [contexts, tabs] = [[], []];
    assert.deepEqual(problems, [], 'no errors and no policy violations in any tab');
  });

  async function prepared(options) {
    const context = await browser.newContext({ ...usual, ...options });
    await prepare(context);
    return context;
  }

  /** A browser context that is closed after the test. */
  async function newContext(options) {
    const context = await prepared(options);
    contexts.push(context);
    return context;
  }

  /** An idle tab of a context with these options, or a new one. */
  async function takeTab(options) {
    const { viewport = VIEWPORT, ...rest } = { ...usual, ...options };
    const media = Object.fromEntries(Object.entries(MEDIA).map(([name, value]) => [name, rest[name] ?? value]));
    const fixed = Object.fromEntries(Object.entries(rest).filter(([name]) => !(name in MEDIA)));
    const kind = JSON.stringify(fixed);
    const at = idle.findIndex((tab) => tab.kind === kind);
    const tab = at >= 0 ? idle.splice(at, 1)[0] : await newTab(await prepared(fixed));
    Object.assign(tab, { kind, problems: [], expected: undefined });
    await tab.setViewportSize(viewport);
    await tab.emulateMedia(media);
    return tab;
  }

  /** Empties a tab for later tests. One that has moved to another origin is closed, because its storage there cannot be emptied. */
  async function putBack(tab) {
    const context = tab.context();
    if (new URL(tab.url()).origin !== origin) return void await context.close();
    await Promise.all(context.pages().filter((other) => other !== tab).map((other) => other.close()));
    await tab.unrouteAll({ behavior: 'ignoreErrors' });
    await tab.mouse.move(-1, -1);
    await tab.route(IDLE, (route) => route.fulfill(IDLE_DOCUMENT));
    await tab.goto(IDLE);
    await tab.unroute(IDLE);
    await tab.evaluate(() => [localStorage, sessionStorage].forEach((storage) => storage.clear()));
    idle.push(tab);
  }

  /** A tab with the page. Errors that match `expected` belong to the test. */
  async function open({ context, address = page, expected, ...options } = {}) {
    const tab = context ? await newTab(context) : await takeTab(options);
    tabs.push(tab);
    tab.expected = expected;
    await loadPage(tab, address);
    return tab;
  }

  /** A tab that is signed in. Without `user` it has a name of its own, in `tab.user`. */
  async function signedIn({ user = unique('alice'), ...options } = {}) {
    const tab = await open(options);
    await signIn(tab, user);
    return Object.assign(tab, { user });
  }

  return { newContext, open, signedIn };
}

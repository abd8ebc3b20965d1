/** Tabs of a test file. After each test they are closed, and the test fails if one of them had an error. */

import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { launch, openTab, signIn } from './chromium.mjs';
import { page, unique } from './stack.mjs';

/** Call once for each test file. `prepare` is called with each new browser context. */
export function tabsOfFile(prepare = async () => {}) {
  let browser;
  let contexts = [];
  let tabs = [];
  before(async () => { browser = await launch(); });
  after(() => browser?.close());
  afterEach(async () => {
    const problems = tabs.flatMap((tab) => tab.problems);
    await Promise.all(contexts.map((context) => context.close()));
    [contexts, tabs] = [[], []];
    assert.deepEqual(problems, [], 'no errors and no policy violations in any tab');
  });

  async function newContext(options) {
    const context = await browser.newContext(options);
    contexts.push(context);
    await prepare(context);
    return context;
  }

  async function open({ context, address = page, ...options } = {}) {
    const tab = await openTab(context ?? await newContext(options), address);
    tabs.push(tab);
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

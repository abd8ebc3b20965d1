/**
 * Makes the pictures of the demo in docs/images from a running stack without a conversation: `just pictures`.
 * Every run has the same people and the same lines. Times, the connection's id and the measurements differ.
 */

import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, openTab, say, signIn, waitForEntry } from './browser/chromium.mjs';
import { history, publish } from './browser/stack.mjs';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const MAX_BYTES = 200_000;
/** A second colour scheme here makes a second picture: `demo-desktop-dark.png`. */
const SCHEMES = { light: '' };
const PEOPLE = {
  alice: { picture: 'demo-desktop', viewport: { width: 1200, height: 800 }, deviceScaleFactor: 1.2 },
  bob: { picture: 'demo-phone', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 },
};
const LINES = [
  ['bob', 'Good morning! Did the release go out last night?'],
  ['alice', 'Yes, at ten. Both nodes run the new version.'],
  ['bob', 'who is here'],
];
const NOTIFICATION = { kind: 'notification', level: 'success', title: 'Deployment finished', body: 'Version 7 runs on both nodes.', link: '/releases/7' };
/** Round trips in the plot. */
const SAMPLES = 6;
/** Characters of the answer that is being written. */
const STORY_LENGTH = 170;

async function signInAll(browser) {
  const tabs = {};
  for (const [name, { viewport, deviceScaleFactor }] of Object.entries(PEOPLE)) {
    tabs[name] = await openTab(await browser.newContext({ viewport, deviceScaleFactor, reducedMotion: 'reduce' }));
    await signIn(tabs[name], name);
  }
  return tabs;
}

/** The people talk, the bot answers the last line, and then it begins a story. */
async function talk(tabs) {
  const all = Object.values(tabs);
  for (const [from, text] of LINES) {
    await say(tabs[from], text);
    for (const tab of all) await waitForEntry(tab, text, from);
  }
  await tabs.alice.locator('.entry.bot[data-state="done"]').last().waitFor();
  await tabs.alice.waitForFunction((samples) => document.querySelector('.plot-line')?.getAttribute('points').split(' ').length >= samples, SAMPLES);
  await say(tabs.alice, 'tell me a story');
  const isLong = (length) => [...document.querySelectorAll('.entry[data-state="streaming"] .entry-text')].some(({ textContent }) => textContent.length > length);
  await Promise.all(all.map((tab) => tab.waitForFunction(isLong, STORY_LENGTH)));
}

async function takePictures(name, tab) {
  await publish(`#${name}`, { ...NOTIFICATION, id: `release-7-${name}`, at: new Date().toISOString() });
  await tab.locator('.toast').waitFor();
  for (const [colorScheme, suffix] of Object.entries(SCHEMES)) {
    const file = `${PEOPLE[name].picture}${suffix}.png`;
    await tab.emulateMedia({ colorScheme });
    await tab.screenshot({ path: FOLDER + file });
    const { size } = await stat(FOLDER + file);
    console.log(`${file}: ${size} bytes`);
    if (size > MAX_BYTES) throw new Error(`${file} has more than ${MAX_BYTES} bytes`);
  }
  if (tab.problems.length > 0) throw new Error(`the page of ${name} has problems:\n${tab.problems.join('\n')}`);
}

if ((await history('chat:lobby')).length > 0) throw new Error('The conversation of this stack is not empty. Use a new run directory.');
const browser = await launch();
try {
  const tabs = await signInAll(browser);
  await talk(tabs);
  for (const [name, tab] of Object.entries(tabs)) await takePictures(name, tab);
} finally {
  await browser.close();
}

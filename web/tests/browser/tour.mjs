/** Brings a tab into every state of the page, one after the other. The banner of a node that shuts down looks like that of a lost connection. */

import { ready, say, signIn } from './chromium.mjs';
import { disconnect, notify, unique } from './stack.mjs';

const LEVELS = ['info', 'success', 'warning', 'error'];

/**
 * Brings a tab on the first screen into every state and calls each of `looks` there, as `look(tab, state)`. A state that ends by itself is
 * entered again for each look.
 */
export async function tour({ context, network, tab }, looks) {
  const visit = async (state) => {
    for (const look of looks) await look(tab, state);
  };
  const user = unique('alice');
  await firstScreen(tab, visit);
  await signIn(tab, user);
  await visit('connected');
  await answers(tab, looks);
  await lines(tab, visit);
  await panel(tab, visit);
  await notifications(tab, user, visit);
  await cuts(tab, looks);
  await connections(context, tab, { network, user }, visit);
}

async function firstScreen(tab, visit) {
  await tab.waitForFunction(() => document.activeElement?.id === 'name');
  await visit('sign-in');
  await tab.locator('#name').fill('x'.repeat(40));
  await tab.keyboard.press('Enter');
  await tab.locator('#name-problem').waitFor();
  await visit('sign-in error');
}

/** The answer is still being written after each look. Answers to others, which name them, may be written at the same time. */
async function answers(tab, looks) {
  const answer = tab.locator('.entry.bot').filter({ hasNot: tab.locator('.entry-to') });
  const streaming = answer.and(tab.locator('[data-state="streaming"][data-parts]'));
  for (const look of looks) {
    await say(tab, 'tell me a story');
    await streaming.waitFor();
    await look(tab, 'streaming answer');
    await streaming.locator('[data-do="stop"]').click();
    await streaming.waitFor({ state: 'detached' });
    await answer.and(tab.locator('[data-state="stopped"]')).last().waitFor();
    await look(tab, 'stopped answer');
  }
}

async function lines(tab, visit) {
  await say(tab, `@nobody ${'long'.repeat(80)}`);
  await tab.locator('.entry.mine[data-state="done"]').last().waitFor();
  await say(tab, 'error');
  await tab.locator('.entry[data-state="refused"]').waitFor();
  await visit('refused line');
  await say(tab, `@nobody ${'many words '.repeat(150)}`);
  await tab.locator('.entry [data-do="fold"]').last().waitFor();
  await visit('folded line');
  await tab.locator('#message-field').fill('word '.repeat(500));
  await tab.keyboard.press('Enter');
  await tab.locator('#message-problem').waitFor();
  await visit('line over the limit');
  await tab.locator('#message-field').fill('');
}

async function panel(tab, visit) {
  const isOver = !await tab.locator('#side').isVisible();
  if (isOver) await tab.locator('#pill').click();
  await tab.locator('#side').waitFor();
  await visit('panel open');
  if (isOver) await tab.keyboard.press('Escape');
}

async function notifications(tab, user, visit) {
  await tab.locator('#bell').click();
  await visit('inbox empty');
  await tab.keyboard.press('Escape');
  for (const level of LEVELS) {
    const title = unique(level);
    await notify(user, `${title} ${'and so on '.repeat(6)}`, level);
    await tab.locator(`.toast.level-${level}`, { hasText: title }).waitFor();
  }
  await visit('toasts');
  await tab.locator('#bell').click();
  await tab.locator('#inbox .notice').first().waitFor();
  await visit('inbox full');
  await tab.keyboard.press('Escape');
}

async function cuts(tab, looks) {
  for (const look of looks) {
    await tab.evaluate(() => document.getElementById('cut').click());
    await tab.waitForSelector('body[data-connection="cut"]');
    await look(tab, 'banner: cut');
    await ready(tab);
  }
}

async function connections(context, tab, { network, user }, visit) {
  const state = (name) => tab.waitForSelector(`body[data-connection="${name}"]`);
  network.cut();
  await state('waiting');
  await visit('banner: waiting');
  network.restore();
  await ready(tab);
  await context.setOffline(true);
  await state('offline');
  await visit('banner: offline');
  await context.setOffline(false);
  await ready(tab);
  network.cut();
  await tab.reload();
  await state('unreached');
  await visit('banner: unreached');
  network.restore();
  await ready(tab);
  await disconnect(user);
  await state('closed');
  await visit('banner: closed');
}

/** Notifications and headlines for tests. */

import { publish, unique } from './stack.mjs';

const SENTENCE = 'The quick brown fox jumps over the lazy dog and runs on. ';

/** A text of exactly this many characters. */
export const words = (length) => SENTENCE.repeat(Math.ceil(length / SENTENCE.length)).slice(0, length - 1).trimEnd().padEnd(length, '.');

/** The data of a notification. Its title is unique unless given. */
export function notification(fields = {}) {
  return { kind: 'notification', id: unique('n'), title: unique('Title'), body: '', level: 'info', at: new Date().toISOString(), ...fields };
}

/** Publishes a notification to the user of a tab, and waits for its toast. Resolves to the toast. */
export async function notifyTab(tab, fields) {
  const data = notification(fields);
  await publish(`#${tab.user}`, data);
  const toast = tab.locator(`.toast[data-id="${data.id}"]`);
  await toast.waitFor();
  return toast;
}

/** The row of the inbox for a notification. */
export const rowOf = (tab, id) => tab.locator(`.notice[data-id="${id}"]`);

/** Opens the inbox. */
export async function openInbox(tab) {
  await tab.locator('#bell').click();
  await tab.locator('#inbox').waitFor();
}

/** Checks of accessibility that the browser tests share. */

import assert from 'node:assert/strict';
import axe from 'axe-core';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];

/** Waits for animations and transitions that end. In the middle of one, colours are not those that a person reads. */
function animationsToEnd(tab) {
  return tab.evaluate(() => Promise.allSettled(document.getAnimations()
    .filter((animation) => Number.isFinite(animation.effect?.getComputedTiming().endTime))
    .map((animation) => animation.finished)));
}

/** What axe-core finds on the page as it is now: the rule, the element and the reason, one line for each. */
export async function violations(tab) {
  await animationsToEnd(tab);
  if (!await tab.evaluate(() => 'axe' in globalThis)) await tab.evaluate(`${axe.source}; undefined`);
  const found = await tab.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ['violations'] }), TAGS);
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary.replace(/\s+/g, ' ')}`));
}

/** Fails if axe-core finds anything. `state` says in words what the page shows. */
export async function assertAccessible(tab, state) {
  assert.deepEqual(await violations(tab), [], `${state}: axe-core finds nothing`);
}

/** The element that has the focus: its id, or else the start of its markup; `body` if nothing has it. */
export function focused(tab) {
  return tab.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return 'body';
    return element.id || element.outerHTML.slice(0, 100);
  });
}

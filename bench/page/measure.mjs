/**
 * Measures the demo page in Chromium while lines arrive:
 *
 * - interaction to next paint (INP) at p95, of keys typed into the message field while 50 lines a second arrive;
 * - the longest task, and the time of the main thread, while 700 lines arrive within 2 s.
 *
 * It prints the figures of each run and the medians. `just bench-page` starts a stack for it.
 */

import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { chromium } = createRequire(new URL('../../web/tests/package.json', import.meta.url))('playwright-core');

const { values: options } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(options.runs);
const page = process.env.SWITCHBOARD_URL;
const api = process.env.SWITCHBOARD_API;
if (!page || !api || !Number.isInteger(runs) || runs < 1) {
  console.error('usage: SWITCHBOARD_URL=… SWITCHBOARD_API=… node measure.mjs [--runs N]; `just bench-page` starts a stack and sets both');
  process.exit(64);
}
const key = process.env.SWITCHBOARD_API_KEY ?? 'dev';
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

const TYPING_SECONDS = 10;
const LINES_PER_SECOND = 50;
const FLOOD_LINES = 700;
const FLOOD_MS = 2_000;

const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const text = (index) => `line ${index}: ${'words of a sentence that somebody wrote '.repeat(1 + (index % 3))}`;

async function publish(lines) {
  const publications = lines.map(({ id, index }) => ({ channel: 'chat:lobby', data: { kind: 'message', id, from: `user${index % 7}`, text: text(index) } }));
  const response = await fetch(`${api}/v1/publications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ publications }),
  });
  if (!response.ok) throw new Error(`publishing answered ${response.status}: ${await response.text()}`);
}

/** Publishes `count` lines evenly over the time, in small requests, and returns when the last one is stored. */
async function publishLines(prefix, count, milliseconds, perRequest) {
  const start = performance.now();
  const pending = [];
  for (let first = 0; first < count; first += perRequest) {
    await sleep(start + (first / count) * milliseconds - performance.now());
    const lines = Array.from({ length: Math.min(perRequest, count - first) }, (_, n) => ({ id: `${prefix}-${first + n}`, index: first + n }));
    pending.push(publish(lines));
  }
  await Promise.all(pending);
}

async function openTab(browser, user) {
  const tab = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await tab.addInitScript(() => {
    globalThis.measured = { interactions: new Map(), tasks: [] };
    new PerformanceObserver((list) => {
      for (const { interactionId, duration } of list.getEntries()) {
        if (interactionId) globalThis.measured.interactions.set(interactionId, Math.max(duration, globalThis.measured.interactions.get(interactionId) ?? 0));
      }
    }).observe({ type: 'event', durationThreshold: 16, buffered: true });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.measured.tasks.push(duration);
    }).observe({ type: 'longtask', buffered: true });
  });
  await tab.goto(page);
  await tab.locator('#name').fill(user);
  await tab.keyboard.press('Enter');
  await tab.waitForSelector('body[data-connection="connected"]');
  await tab.waitForSelector('#messages:not([aria-busy])', { state: 'attached' });
  await sleep(1_000);
  return tab;
}

const shown = (tab, id) => tab.waitForSelector(`#messages > li[data-id="${id}"]`, { state: 'attached', timeout: 120_000 });

function percentile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Keys faster than 16 ms have no event entry: they count as 16. */
async function interactionToNextPaint(browser, run) {
  const tab = await openTab(browser, `typist${run}`);
  const prefix = `inp-${process.pid}-${run}`;
  const lines = publishLines(prefix, LINES_PER_SECOND * TYPING_SECONDS, TYPING_SECONDS * 1000, 1);
  const keys = TYPING_SECONDS * 8;
  await tab.locator('#message-field').focus();
  for (let n = 0; n < keys; n += 1) await tab.keyboard.press('abcdefgh'[n % 8], { delay: 40 }).then(() => sleep(60));
  await lines;
  await shown(tab, `${prefix}-${LINES_PER_SECOND * TYPING_SECONDS - 1}`);
  const durations = await tab.evaluate(() => [...globalThis.measured.interactions.values()]);
  await tab.context().close();
  return percentile([...durations, ...Array.from({ length: Math.max(0, keys - durations.length) }, () => 16)], 0.95);
}

async function flood(browser, run) {
  const tab = await openTab(browser, `reader${run}`);
  const session = await tab.context().newCDPSession(tab);
  await session.send('Performance.enable');
  const mainThread = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
  await tab.evaluate(() => { globalThis.measured.tasks.length = 0; });
  const before = await mainThread();
  const prefix = `flood-${process.pid}-${run}`;
  await publishLines(prefix, FLOOD_LINES, FLOOD_MS, 7);
  await shown(tab, `${prefix}-${FLOOD_LINES - 1}`);
  await sleep(500);
  const busy = await mainThread() - before;
  const longest = await tab.evaluate(() => Math.max(0, ...globalThis.measured.tasks));
  await tab.context().close();
  return { longest, busy };
}

const median = (values) => percentile(values, 0.5);
const figure = (value) => `${Math.round(value)} ms`;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking'] });
const results = [];
for (let run = 1; run <= runs; run += 1) {
  const inp = await interactionToNextPaint(browser, run);
  const { longest, busy } = await flood(browser, run);
  results.push({ inp, longest, busy });
  console.log(`run ${run}: interaction to next paint p95 ${figure(inp)}; 700 lines in 2 s: longest task ${figure(longest)}, main thread busy ${figure(busy)}`);
}
await browser.close();
const of = (name) => figure(median(results.map((result) => result[name])));
console.log(`medians of ${runs}: interaction to next paint p95 ${of('inp')}; 700 lines in 2 s: longest task ${of('longest')}, main thread busy ${of('busy')}`);

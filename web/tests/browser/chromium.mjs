/** Starts Chromium, and opens tabs that record their errors. */

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { page as address } from './stack.mjs';

const CANDIDATES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts the browser. */
export function launch() {
  const executablePath = CANDIDATES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('No Chromium found. Install Debian\'s "chromium", or name one in CHROMIUM.');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking'] });
}

/** What Chromium says when the SDK, or a page that is left, closes a socket that is still connecting. */
const GIVEN_UP = 'WebSocket is closed before the connection is established';

/** An empty tab of the context. `tab.problems` collects its errors. */
export async function newTab(context) {
  const tab = await context.newPage();
  tab.problems = [];
  tab.setDefaultTimeout(15_000);
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !message.text().includes(GIVEN_UP)) tab.problems.push(`console: ${message.text()} (${message.location().url})`);
  });
  tab.on('pageerror', (error) => tab.problems.push(`exception: ${error}`));
  // A navigation aborts the requests of the page that it leaves.
  tab.on('requestfailed', (request) => request.failure()?.errorText !== 'net::ERR_ABORTED' && tab.problems.push(`request failed: ${request.url()}`));
  await tab.exposeFunction('reportViolation', (text) => tab.problems.push(`policy: ${text}`));
  await tab.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  return tab;
}

/** Loads the demo. `tab.headers` has the headers of the answer. */
export async function loadPage(tab, page) {
  const response = await tab.goto(page);
  if (!response.ok() && response.status() !== 304) throw new Error(`${page} answered ${response.status()}: is demo.enabled set?`);
  tab.headers = response.headers();
}

/** Opens the demo of the stack in a new tab of the context. */
export async function openTab(context, page = address) {
  const tab = await newTab(context);
  await loadPage(tab, page);
  return tab;
}

/**
 * Interferes with the sockets of a browser context. It can break and restore them. While `dropsAnswers` is set, it drops the
 * gateway's messages. `refused` counts the sockets opened while it is cut. It records the calls of the page in `calls`; `answers` has the answer to a method instead of the service's
 * (a function of the call's data that returns `{ data }` or `{ error }`, or null for the service's own answer).
 */
export async function faultyNetwork(context) {
  const sockets = new Set();
  const network = {
    dropsAnswers: false,
    isDown: false,
    refused: 0,
    calls: [],
    answers: {},
    /** The data of the calls of this method. */
    callsOf: (name) => network.calls.filter(({ method }) => method === name).map(({ data }) => data),
    cut() {
      network.isDown = true;
      for (const socket of sockets) socket.close({ code: 3000, reason: 'cut' });
      sockets.clear();
    },
    restore() {
      Object.assign(network, { isDown: false, dropsAnswers: false });
    },
  };
  const pass = (socket, gateway, line) => {
    const { id, rpc } = JSON.parse(line);
    if (rpc) network.calls.push(rpc);
    const answer = rpc && network.answers[rpc.method]?.(rpc.data);
    if (!answer) gateway.send(line);
    else socket.send(JSON.stringify(answer.error ? { id, error: answer.error } : { id, rpc: answer }));
  };
  await context.routeWebSocket('**/connection/websocket', (socket) => {
    if (network.isDown) {
      network.refused += 1;
      socket.close({ code: 3000, reason: 'cut' });
      return;
    }
    sockets.add(socket);
    const gateway = socket.connectToServer();
    socket.onMessage((message) => {
      for (const line of String(message).split('\n').filter(Boolean)) pass(socket, gateway, line);
    });
    gateway.onMessage((message) => {
      if (!network.dropsAnswers) socket.send(message);
    });
  });
  return network;
}

/** Signs in with the keyboard alone and waits for the connection and the first history. */
export async function signIn(tab, user) {
  await tab.waitForFunction(() => document.activeElement?.id === 'name');
  await tab.locator('#name').fill(user);
  await tab.keyboard.press('Enter');
  await ready(tab);
}

/** Waits until the tab is connected and shows the conversation. */
export async function ready(tab) {
  await tab.waitForSelector('body[data-connection="connected"]');
  await tab.waitForSelector('#messages:not([aria-busy])', { state: 'attached' });
}

export async function say(tab, text) {
  await tab.locator('#message-field').fill(text);
  await tab.keyboard.press('Enter');
}

/** Waits for an entry from the channel that contains the text; returns its id. */
export async function waitForEntry(tab, text, from) {
  const entry = tab.locator(`#messages > li[data-id][data-from="${from}"]`).filter({ hasText: text }).last();
  await entry.waitFor();
  return entry.getAttribute('data-id');
}

/** Waits for the bot's complete answer after the entry with this id; returns its id. */
export async function waitForAnswer(tab, id) {
  const handle = await tab.waitForFunction((after) => {
    let entry = document.querySelector(`#messages > li[data-id="${after}"]`)?.nextElementSibling;
    while (entry && !(entry.classList.contains('bot') && entry.dataset.state === 'done')) entry = entry.nextElementSibling;
    return entry?.dataset.id;
  }, id);
  return handle.jsonValue();
}

/** The entries on the page, in order. */
export function entries(tab) {
  return tab.$$eval('#messages > li[data-id]', (list) => list.map((entry) => ({
    id: entry.dataset.id,
    from: entry.dataset.from,
    state: entry.dataset.state,
    text: entry.querySelector('.entry-text').textContent,
  })));
}

// Two gateways share one Redis: a tab moves from one to the other and finds everything there.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ownGateway } from '../../../gateway/tests/sdk/support/gateway.mjs';
import { ownRedis, redisSettings } from '../../../gateway/tests/sdk/support/redis.mjs';
import { eventually } from '../../../gateway/tests/sdk/support/wait.mjs';
import { ready, signIn, waitForEntry } from './chromium.mjs';
import { DEMO_SETTINGS } from './demo-gateway.mjs';
import { unique } from './stack.mjs';
import { tabsOfFile } from './tabs.mjs';

const NAMES = ['node-1', 'node-2'];

const { open } = tabsOfFile();

/** Starts the gateways of one cluster with the demo. */
async function cluster(t) {
  const redis = await ownRedis(t);
  const settings = (name) => `${redisSettings(redis, name)}${DEMO_SETTINGS}`;
  const nodes = await Promise.all(NAMES.map((name) => ownGateway(t, settings(name))));
  for (const node of nodes) {
    await eventually(async () => (await listedNodes(node)).nodes.length === NAMES.length, 'the nodes to find each other');
    await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
  }
  return nodes;
}

const listedNodes = async (node) => (await fetch(`${node.url}/demo/nodes`)).json();

/** Opens a node's page in a separate window. */
const pageOf = (node, { fragment = '', ...options } = {}) => open({ address: `${node.url}/${fragment}`, ...options });

const message = (from, text) => ({ kind: 'message', id: unique('m'), from, text, at: new Date().toISOString() });
const notification = (title) => ({ kind: 'notification', id: unique('n'), title, body: '', level: 'info', at: new Date().toISOString() });
const toastOf = (tab, title) => tab.locator('.toast', { hasText: title });
const moveTo = (tab, name) => tab.getByRole('button', { name: `Move here: ${name}` });

async function isOn(tab, node, name, user) {
  await tab.waitForURL(`${node.url}/`);
  await ready(tab);
  await tab.locator('#node', { hasText: name }).waitFor({ state: 'attached' });
  assert.equal(await tab.locator('#me').textContent(), user);
  assert.equal(tab.url(), `${node.url}/`, 'the address contains no data of the move');
}

test('every node lists all nodes with their addresses', async (t) => {
  const nodes = await cluster(t);
  const all = NAMES.map((name, at) => ({ name, url: nodes[at].url }));
  for (const [at, node] of nodes.entries()) {
    const { here, nodes: listed } = await listedNodes(node);
    assert.deepEqual({ here, listed }, { here: NAMES[at], listed: all });
  }
});

test('a moved tab has its user, the conversation and its notifications on the other node', async (t) => {
  const [one, two] = await cluster(t);
  const alice = unique('alice');
  const tab = await pageOf(one, { colorScheme: 'light' });
  await signIn(tab, alice);
  await tab.locator('#node', { hasText: NAMES[0] }).waitFor();
  await tab.locator('[data-node="node-1"][aria-current]').waitFor();

  const [before, after, meant, later] = ['before', 'after', 'Meant for you', 'Later'].map(unique);
  await one.publish('chat:lobby', message('bob', before));
  await waitForEntry(tab, before, 'bob');
  await one.publish(`#${alice}`, notification(meant));
  await toastOf(tab, meant).waitFor();
  await tab.locator('#bell').click();
  await tab.locator('#mark-read').click();
  await tab.keyboard.press('Escape');
  await tab.locator('.bar [data-do="theme"]').click();

  await moveTo(tab, NAMES[1]).focus();
  await tab.keyboard.press('Enter');
  await isOn(tab, two, NAMES[1], alice);
  await toastOf(tab, `Now on ${NAMES[1]}`).waitFor();
  await waitForEntry(tab, before, 'bob');
  assert.equal(await tab.locator('html').getAttribute('data-theme'), 'dark', 'the tab keeps the chosen colours');
  await tab.locator('#bell').click();
  await tab.locator('.notice:not(.unread)', { hasText: meant }).waitFor();
  await tab.keyboard.press('Escape');

  await one.publish(`#${alice}`, notification(later));
  await toastOf(tab, later).waitFor();
  await one.publish('chat:lobby', message('bob', after));
  await waitForEntry(tab, after, 'bob');

  await tab.reload();
  await isOn(tab, two, NAMES[1], alice);
  await moveTo(tab, NAMES[0]).click();
  await isOn(tab, one, NAMES[0], alice);
  for (const text of [before, after]) await waitForEntry(tab, text, 'bob');
});

test('a tab can leave a killed node, also on a narrow screen', async (t) => {
  const [one, two] = await cluster(t);
  const alice = unique('alice');
  const tab = await pageOf(one, { viewport: { width: 360, height: 740 } });
  await signIn(tab, alice);
  await tab.locator('#pill').click();
  await moveTo(tab, NAMES[1]).waitFor();
  await one.kill();
  await tab.waitForSelector('body[data-connection="waiting"]');
  await moveTo(tab, NAMES[1]).click();
  await isOn(tab, two, NAMES[1], alice);
});

test('a node that has left is not offered', async (t) => {
  const [one, two] = await cluster(t);
  const tab = await pageOf(one);
  await signIn(tab, unique('alice'));
  await moveTo(tab, NAMES[1]).waitFor();
  await two.stop();
  await tab.locator('#nodes-card').waitFor({ state: 'hidden', timeout: 30_000 });
});

test('a fragment with an invalid name signs nobody in', async (t) => {
  const [one] = await cluster(t);
  const tab = await pageOf(one, { fragment: '#as=not%0Aa%20name' });
  await tab.locator('#name').waitFor();
  assert.equal(tab.url(), `${one.url}/`);
});

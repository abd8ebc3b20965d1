import './page.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { Inbox } from '../../js/inbox.js';
import { arrive, wayTo } from '../../js/move.js';
import { Nodes } from '../../js/nodes.js';

/** A tab at this address. */
function tabAt(address) {
  const location = new URL(address);
  const history = { state: null, replaceState: (state, title, to) => { location.href = new URL(to, location).href; } };
  return { location, history };
}

test('what a tab takes along arrives, and the address is clean', () => {
  const tab = tabAt(wayTo('http://n2:8010/', { user: 'a.b-c', theme: 'dark', read: ['1', 'x&y=z'] }));
  assert.equal(new URLSearchParams(tab.location.hash.slice(1)).get('theme'), 'dark');
  assert.deepEqual(arrive(tab), { user: 'a.b-c', read: ['1', 'x&y=z'] });
  assert.equal(tab.location.href, 'http://n2:8010/');
});

test('the way leads into the folder where a page is served, and only the name has to be in it', () => {
  assert.equal(wayTo('https://h/demo', { user: 'alice' }), 'https://h/demo/#as=alice');
});

test('an address that says nothing of a user is left alone', () => {
  const tab = tabAt('http://n2:8010/?a=b#line');
  assert.deepEqual(arrive(tab), { user: '', read: [] });
  assert.equal(tab.location.href, 'http://n2:8010/?a=b#line');
});

/** Sets the gateway's answer to the next request. */
function answer(t, respond) {
  t.mock.method(globalThis, 'fetch', async () => respond());
}

test('nodes that can be moved to are those with an address of their own', async (t) => {
  const nodes = new Nodes();
  answer(t, () => Response.json({ here: 'a', nodes: [
    { name: 'a', url: 'http://h:1' }, { name: 'b', url: 'http://h:1' }, { name: 'c', url: 'http://h:2' }, { name: 'd', url: 'javascript:alert(1)' },
  ] }));
  await nodes.refresh();
  assert.deepEqual(nodes.others('a').map(({ name }) => name), ['c']);
  assert.deepEqual(nodes.others('c').map(({ name }) => name), ['a', 'b']);
});

test('a node that does not answer takes no other away', async (t) => {
  const nodes = new Nodes();
  answer(t, () => Response.json({ here: 'a', nodes: [{ name: 'a', url: 'http://h:1' }, { name: 'b', url: 'http://h:2' }] }));
  await nodes.refresh();
  for (const respond of [() => { throw new TypeError('refused'); }, () => new Response('', { status: 404 }), () => new Response('<html>')]) {
    answer(t, respond);
    await nodes.refresh();
    assert.deepEqual(nodes.others('a').map(({ name }) => name), ['b']);
  }
});

test('what was read on another node is read here, whether it is there or still to come', () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const data = (id) => ({ kind: 'notification', id, title: id, at: '2026-01-01T00:00:00Z' });
  new Inbox('alice', storage).add(data('before'));
  const inbox = new Inbox('alice', storage);
  inbox.takeRead(['before', 'after']);
  for (const id of ['after', 'new']) inbox.add(data(id));
  assert.deepEqual(inbox.read.sort(), ['after', 'before']);
  assert.equal(inbox.unread, 1);
});

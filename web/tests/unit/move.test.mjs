import { memoryStorage } from './page.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { Inbox } from '../../js/notifications/inbox.js';
import { DraftStore } from '../../js/outgoing/draft-store.js';
import { fitting, takeMovedState, moveUrl, UNSENT_BYTES } from '../../js/connection/move.js';
import { Nodes } from '../../js/connection/nodes.js';

/** Returns the location and the history of a fake tab at this address. */
function tabAt(address) {
  const location = new URL(address);
  const history = { state: null, replaceState: (state, title, to) => { location.href = new URL(to, location).href; } };
  return { location, history };
}

test('a moved tab brings its data and removes it from the address', () => {
  const tab = tabAt(moveUrl('http://n2:8010/', { user: 'a.b-c', theme: 'dark', transport: 'sse', read: ['1', 'x&y=z'] }));
  assert.equal(new URLSearchParams(tab.location.hash.slice(1)).get('theme'), 'dark');
  assert.deepEqual(takeMovedState(tab), { user: 'a.b-c', transport: 'sse', read: ['1', 'x&y=z'], draft: '', lines: [], left: 0 });
  assert.equal(tab.location.href, 'http://n2:8010/');
});

test('the address keeps the folder of the page and needs only the user', () => {
  assert.equal(moveUrl('https://h/demo', { user: 'alice' }), 'https://h/demo/#as=alice');
});

test('an address without a user is not changed', () => {
  const tab = tabAt('http://n2:8010/?a=b#line');
  assert.deepEqual(takeMovedState(tab), { user: '', transport: null, read: [], draft: '', lines: null, left: 0 });
  assert.equal(tab.location.href, 'http://n2:8010/?a=b#line');
});

/** Replaces `fetch`: each request gets the response of `respond`. */
function mockFetch(t, respond) {
  t.mock.method(globalThis, 'fetch', async () => respond());
}

test('a tab can move to nodes with an address different from its own', async (t) => {
  const nodes = new Nodes();
  mockFetch(t, () => Response.json({ here: 'a', nodes: [
    { name: 'a', url: 'http://h:1' }, { name: 'b', url: 'http://h:1' }, { name: 'c', url: 'http://h:2' }, { name: 'd', url: 'javascript:alert(1)' },
  ] }));
  await nodes.refresh();
  assert.deepEqual(nodes.others('a').map(({ name }) => name), ['c']);
  assert.deepEqual(nodes.others('c').map(({ name }) => name), ['a', 'b']);
});

test('a failed request keeps the last list of nodes', async (t) => {
  const nodes = new Nodes();
  mockFetch(t, () => Response.json({ here: 'a', nodes: [{ name: 'a', url: 'http://h:1' }, { name: 'b', url: 'http://h:2' }] }));
  await nodes.refresh();
  for (const respond of [() => { throw new TypeError('refused'); }, () => new Response('', { status: 404 }), () => new Response('<html>')]) {
    mockFetch(t, respond);
    await nodes.refresh();
    assert.deepEqual(nodes.others('a').map(({ name }) => name), ['b']);
  }
});

test('read marks from another node apply to present and later notifications', () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const data = (id) => ({ kind: 'notification', id, title: id, at: '2026-01-01T00:00:00Z' });
  new Inbox('alice', storage).add(data('before'));
  const inbox = new Inbox('alice', storage);
  inbox.markReadElsewhere(['before', 'after']);
  for (const id of ['after', 'new']) inbox.add(data(id));
  assert.deepEqual(inbox.read.sort(), ['after', 'before']);
  assert.equal(inbox.unread, 1);
});

const line = (n, text) => ({ id: `${n}`.padStart(32, '0'), text, at: n, after: null });

test('unsent text comes along, as much as fits, and the tab knows how much stays', () => {
  const lines = [line(1, 'one & two'), line(2, '山'.repeat(1_000)), line(3, 'x')];
  const all = fitting({ draft: 'half a sen\ud800', lines });
  assert.deepEqual([all.lines, all.left], [lines, 0]);
  const tab = tabAt(moveUrl('http://n2:8010/', { user: 'alice', ...all }));
  const moved = takeMovedState(tab);
  assert.deepEqual([moved.draft, moved.lines, moved.left], ['half a sen\ufffd', lines, 0]);

  const some = fitting({ draft: 'y'.repeat(2_000), lines }, 1_000);
  assert.deepEqual([some.draft, some.lines, some.left], ['', [lines[0]], 3]);
  assert.equal(takeMovedState(tabAt(moveUrl('http://n2:8010/', { user: 'alice', ...some }))).left, 3);
  const many = fitting({ draft: '', lines: Array.from({ length: 50 }, (_, n) => line(n, '😀'.repeat(2_000))) });
  assert.ok(moveUrl('http://n2:8010/', { user: 'alice', ...many }).length < UNSENT_BYTES + 1_000);
  assert.equal(many.lines.length + many.left, 50);
});

test('an invalid line in the address is recognised as such', () => {
  assert.deepEqual(takeMovedState(tabAt('http://n2:8010/#as=alice&line=%7B&left=x')), { user: 'alice', transport: null, read: [], draft: '', lines: [null], left: 0 });
});

test('the text of the field moves, and stays if the tab does not arrive', () => {
  const storage = memoryStorage();
  const store = (arrived) => new DraftStore('alice', 'chat:lobby', arrived, storage);
  const here = store(null);
  here.write('half');
  here.markMoved();
  assert.equal(store(null).read(), 'half', 'the tab did not arrive');
  here.markMoved();
  assert.equal(store('').read(), '', 'it was sent at the other node');
  here.write('too long to move');
  assert.equal(store('more').read(), 'too long to move\nmore');
});

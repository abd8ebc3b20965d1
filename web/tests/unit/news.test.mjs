import './page.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { headlineOf, News } from '../../js/notifications/news.js';

/** A client whose only subscription answers `history` with these publications, newest first. */
function fakeClient(publications) {
  const listeners = new Map();
  const sub = {
    on: (name, listener) => listeners.set(name, listener),
    subscribe: () => {},
    history: async ({ limit }) => ({ publications: publications.slice(0, limit) }),
  };
  return { newSubscription: () => sub, emit: (name, context) => listeners.get(name)(context) };
}

const storage = () => {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
};
const at = (epoch, recovered = false) => ({ recovered, streamPosition: { epoch, offset: 0 } });
const news = (client, kept = storage()) => new News(client, () => {}, kept);
const headlines = (list) => list.list().map(({ headline }) => headline);
const turn = () => new Promise((resolve) => { setImmediate(resolve); });

test('only a text is a headline', () => {
  assert.equal(headlineOf({ headline: ' It rains ' }), 'It rains');
  assert.equal(headlineOf({ kind: 'notification', title: 'It snows' }), 'It snows');
  for (const bad of [null, undefined, 7, 'text', [], {}, { headline: 7 }, { headline: {} }, { headline: ' ' }, { title: 'no kind' }]) assert.equal(headlineOf(bad), null);
});

test('the list has the newest five, each once, whether live or from the history', async () => {
  const history = [9, 8, 7, 6, 5, 4].map((offset) => ({ offset, data: offset === 7 ? 'bad' : { headline: `h${offset}` } }));
  const client = fakeClient(history);
  const list = news(client);
  const arrived = [];
  list.addEventListener('arrived', ({ detail }) => arrived.push(detail.headline));
  client.emit('subscribed', at('e'));
  client.emit('publication', history[0]);
  client.emit('publication', { offset: 10, data: { headline: 'h10' } });
  await turn();
  assert.deepEqual(headlines(list), ['h10', 'h9', 'h8', 'h6', 'h5']);
  assert.deepEqual(arrived, ['h9', 'h10'], 'headlines of the history do not arrive');
});

test('a new epoch empties the list, a recovered subscription keeps it', async () => {
  const client = fakeClient([]);
  const list = news(client);
  client.emit('subscribed', at('e'));
  client.emit('publication', { offset: 1, data: { headline: 'old' } });
  client.emit('subscribed', at('e', true));
  assert.deepEqual(headlines(list), ['old']);
  client.emit('subscribed', at('f'));
  client.emit('publication', { offset: 1, data: { headline: 'new' } });
  assert.deepEqual(headlines(list), ['new']);
  assert.equal(list.isAvailable, true);
  client.emit('unsubscribed', {});
  assert.equal(list.isAvailable, false);
});

test('a headline without a time has that of its arrival, also after a reload', async () => {
  const kept = storage();
  const first = fakeClient([]);
  const live = news(first, kept);
  first.emit('subscribed', at('e'));
  first.emit('publication', { offset: 1, data: { headline: 'live' } });
  const { at: arrival } = live.list()[0];
  assert.ok(Math.abs(arrival - Date.now()) < 60_000);

  const second = fakeClient([{ offset: 2, data: { headline: 'dated', at: '2030-01-01T00:00:00Z' } }, { offset: 1, data: { headline: 'live' } }, { offset: 0, data: { headline: 'missed' } }]);
  const later = news(second, kept);
  second.emit('subscribed', at('e'));
  await turn();
  assert.deepEqual(later.list().map((item) => item.at), [Date.parse('2030-01-01T00:00:00Z'), arrival, null]);
  for (const bad of ['{', 'null', '7', '{"e:1":"soon"}']) {
    kept.setItem('switchboard.news', bad);
    assert.deepEqual(news(fakeClient([]), kept).list(), []);
  }
});

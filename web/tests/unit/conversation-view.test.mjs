// The parts of the conversation's view that need no page.

import { fakeTimers } from './page.mjs';
import assert from 'node:assert/strict';
import test from 'node:test';
import { dayLabel, endOfDay, isoDay } from '../../js/conversation/days.js';
import { relations } from '../../js/conversation/entry-relations.js';
import { EntryWindow, FOLLOWED, MOST } from '../../js/conversation/entry-window.js';
import { lineAnnouncer } from '../../js/conversation/line-announcer.js';
import { LINE_LIMIT, lineProblem } from '../../js/page/limit.js';
import { SortedEntries } from '../../js/conversation/sorted-entries.js';

const at = (text) => new Date(text).getTime();

test('days have names', () => {
  const now = at('2026-11-28T09:00:00');
  assert.equal(dayLabel(at('2026-11-28T00:00:00'), now), 'Today');
  assert.equal(dayLabel(at('2026-11-27T23:59:59'), now), 'Yesterday');
  assert.equal(dayLabel(at('2026-11-26T12:00:00'), now), 'Thursday, 26 November 2026');
  assert.equal(dayLabel(at('2026-11-27T12:00:00'), at('2026-11-29T00:00:00')), 'Friday, 27 November 2026');
  assert.equal(endOfDay(now), at('2026-11-29T00:00:00'));
  assert.equal(isoDay(at('2026-03-05T23:59:59')), '2026-03-05');
});

test('a day begins with its first entry, once, also if clocks differ', () => {
  const entry = (time, from = 'bob') => ({ from, at: time === null ? null : at(time) });
  const list = [entry('2026-11-26T10:00'), entry('2026-11-27T10:00'), entry('2026-11-26T23:59'), entry(null), entry('2026-11-27T10:01')];
  assert.deepEqual(relations(list).map(({ day }) => day && isoDay(day)), ['2026-11-26', '2026-11-27', null, null, null]);
});

test('entries of one author that come soon after each other form a group', () => {
  const entry = (minute, from, answers = '') => ({ from, answers, at: at('2026-11-27T10:00') + minute * 60_000 });
  const list = [entry(0, 'bob'), entry(1, 'bob'), entry(9, 'bob'), entry(9, 'bot', 'bob'), entry(9, 'bot', 'alice'), entry(10, 'bot', 'alice')];
  assert.deepEqual(relations(list).map(({ follows }) => follows), [false, true, false, false, false, true]);
});

test('a line has at most 2,000 characters of any script', () => {
  assert.equal(LINE_LIMIT, 2_000);
  assert.equal(lineProblem('😀'.repeat(2_000)), '');
  assert.match(lineProblem('x'.repeat(2_001)), /Remove 1 character,/);
  assert.match(lineProblem('x'.repeat(3_500)), /Remove 1,500 characters,/);
  assert.ok(new TextEncoder().encode('😀'.repeat(LINE_LIMIT)).length <= 8_000, 'the bot accepts 8,000 bytes');
});

function listOf(count) {
  const list = new SortedEntries();
  for (let i = 0; i < count; i += 1) list.insert({ id: i }, [0, i, 0, i]);
  return list;
}

const shown = ({ start, end }) => [start, end];

test('the page has the newest entries while its end is visible', () => {
  const list = listOf(100);
  const window = new EntryWindow();
  window.update(list, true);
  assert.deepEqual(shown(window), [0, 100]);
  for (let i = 100; i < 1_000; i += 1) {
    list.insert({ id: i }, [0, i, 0, i]);
    window.update(list, true);
    assert.equal(window.end, i + 1);
    assert.ok(window.end - window.start >= Math.min(i + 1, FOLLOWED) && window.end - window.start <= FOLLOWED + 50);
  }
});

test('a reader who looks back has a bounded part of the list, and every entry is in reach', () => {
  const list = listOf(2_000);
  const window = new EntryWindow();
  window.update(list, true);
  assert.deepEqual(shown(window), [1_700, 2_000]);
  while (window.start > 0) {
    const { start, end } = window;
    window.earlier(list, 60);
    assert.equal(window.start, Math.max(0, start - 60));
    assert.ok(window.end - window.start <= MOST && window.end <= end);
    window.update(list, false);
  }
  assert.equal(window.hasLater, true);
  list.insert({ id: 2_000 }, [0, 2_000, 0, 2_000]);
  window.update(list, false);
  assert.deepEqual(shown(window), [0, MOST], 'new entries do not move what is read');
  while (window.hasLater) {
    const { end } = window;
    window.later(list, 60);
    assert.equal(window.end, Math.min(2_001, end + 60));
    assert.ok(window.end - window.start <= MOST);
  }
  window.update(list, true);
  assert.deepEqual(shown(window), [2_001 - FOLLOWED, 2_001]);
});

test('what is read stays on the page when older entries are loaded or forgotten', () => {
  const list = listOf(1_000);
  const window = new EntryWindow();
  window.update(list, true);
  const first = list.at(window.start);
  list.insert({ id: -1 }, [0, -1, 0, -1]);
  window.update(list, false);
  assert.equal(list.at(window.start), first);
  for (let i = 0; i < 500; i += 1) list.remove(list.at(0));
  window.update(list, false);
  assert.equal(list.at(window.start), first);
});

test('one line is announced at once, and a flood as a number', (t) => {
  const pass = fakeTimers(t);
  const said = [];
  const announce = lineAnnouncer((text) => said.push(text));
  announce('bob: hello');
  assert.deepEqual(said, ['bob: hello']);
  announce('bob: again');
  assert.equal(said.length, 1);
  pass(1_000);
  assert.deepEqual(said.splice(0), ['bob: hello', 'bob: again']);
  for (let i = 0; i < 12; i += 1) announce(`bob: line ${i}`);
  pass(1_000);
  assert.deepEqual(said.splice(0), ['12 new messages']);
  pass(1_000);
  announce(`bob: ${'x'.repeat(1_000)}`);
  assert.equal(said[0].length, 300);
});

test('entries are found and kept in the order of their places', () => {
  const list = new SortedEntries();
  const places = [[0, 5, 0, 1], [0, 5, 1, 2], [-1, 9, 1, 3], [Infinity, 0, 1, 4], [1, 1, 0, 5], [0, 2, 0, 6], [0, Infinity, 0, 7]];
  for (const place of places) list.insert({ id: place[3] }, place);
  assert.deepEqual(list.slice().map(({ id }) => id), [3, 6, 1, 2, 7, 5, 4]);
  const [, , , entry] = list.slice();
  list.move(entry, [2, 0, 0, 8]);
  assert.deepEqual(list.slice().map(({ id }) => id), [3, 6, 1, 7, 5, 2, 4]);
  list.remove(entry);
  list.remove(entry);
  assert.deepEqual(list.slice().map(({ id }) => id), [3, 6, 1, 7, 5, 4]);
});

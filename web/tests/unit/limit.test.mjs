import assert from 'node:assert/strict';
import test from 'node:test';
import './page.mjs';
import { lengthOf, limitText } from '../../js/page/limit.js';
import { NAME_LIMIT, nameProblem } from '../../js/sign-in/session.js';

test('a counter is silent far from the limit', () => {
  const table = [[0, ''], [25, ''], [26, '26 of 32 characters'], [32, '32 of 32 characters'], [40, '40 of 32 characters']];
  for (const [length, text] of table) assert.equal(limitText('x'.repeat(length), 32), text, `${length} characters`);
});

test('a character is what a person counts', () => {
  assert.equal(lengthOf('a😀b'), 3);
  assert.equal(nameProblem('😀'.repeat(NAME_LIMIT)), '');
  assert.notEqual(nameProblem('😀'.repeat(NAME_LIMIT + 1)), '');
});

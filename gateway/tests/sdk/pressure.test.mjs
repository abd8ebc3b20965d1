// What a client asks for faster than it takes it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, publish, raw } from './stack.mjs';

test('answers beyond half of the outbox hold the reading up, not the connection', async (t) => {
  const name = channel('recover');
  for (let n = 0; n < 50; n += 1) await publish(name, 'x'.repeat(1000));
  const socket = await raw(t);
  const asked = 40;
  socket.ask(`{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"${name}"}}`);
  for (let id = 3; id < 3 + asked; id += 1) socket.ask(`{"id":${id},"history":{"channel":"${name}","limit":50}}`);
  const answered = new Set();
  while (answered.size < asked) {
    for (const line of (await socket.next()).split('\n')) {
      const { id, history } = JSON.parse(line);
      if (history) answered.add(id) && assert.equal(history.publications.length, 50);
    }
  }
});

// A frontend that needs no package.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';

/** Connects to a gateway with a token, calls a method of a service once, and returns the reply. */
export async function call(origin, token, method, data) {
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': 13, 'sec-websocket-key': randomBytes(16).toString('base64') };
  const upgrade = request(`${origin}/connection/websocket`, { headers }).end();
  const [, socket, first] = await once(upgrade, 'upgrade');
  const commands = [{ id: 1, connect: { token } }, { id: 2, rpc: { method, data } }].map((command) => JSON.stringify(command)).join('\n');
  socket.write(frame(commands));
  let received = first;
  const replies = [];
  while (!replies.some(({ id }) => id === 2)) {
    for (let [text, end] = parse(received); end; [text, end] = parse(received)) {
      replies.push(...text.split('\n').map((line) => JSON.parse(line)));
      received = received.subarray(end);
    }
    if (replies.some(({ id }) => id === 2)) break;
    const [bytes] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    assert(Buffer.isBuffer(bytes), `the gateway closes the connection after ${JSON.stringify(replies)}`);
    received = Buffer.concat([received, bytes]);
  }
  socket.destroy();
  return replies.find(({ id }) => id === 2);
}

/** A masked text frame. The mask is zero. */
function frame(text) {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

/** The text of the first frame and where it ends; nothing if the frame is not complete. */
function parse(bytes) {
  if (bytes.length < 2) return [];
  const long = bytes[1] === 126;
  const start = long ? 4 : 2;
  if (bytes.length < start) return [];
  const end = start + (long ? bytes.readUInt16BE(2) : bytes[1]);
  return bytes.length < end ? [] : [bytes.toString('utf8', start, end), end];
}

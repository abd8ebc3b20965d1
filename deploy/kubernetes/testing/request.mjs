// request.mjs URL [OPTIONS]: sends one request and prints `{ status, body }` as JSON. The status is 0 if nobody answers. OPTIONS are those of
// fetch as JSON, or {"upgrade":true} for a WebSocket.

import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

const [url, text = '{}'] = process.argv.slice(2);
const { upgrade, body, method, headers = {} } = JSON.parse(text);
const websocket = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': 13, 'sec-websocket-key': randomBytes(16).toString('base64') };

const answer = (status, content = '') => {
  process.stdout.write(JSON.stringify({ status, body: content }), () => process.exit(0));
};
const asked = request(url, { method, timeout: 5000, headers: { ...headers, ...(upgrade ? websocket : {}) } });
asked.on('upgrade', ({ statusCode }) => answer(statusCode));
asked.on('response', async (response) => {
  let content = '';
  for await (const part of response) content += part;
  answer(response.statusCode, content);
});
asked.on('timeout', () => answer(0, 'timeout'));
asked.on('error', (error) => answer(0, error.message));
asked.end(body);

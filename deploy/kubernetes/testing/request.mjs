// request.mjs URL [OPTIONS]: sends one request and prints `{ status, body }` as JSON. The status is 0 if nobody answers. OPTIONS are those of
// fetch as JSON, or {"upgrade":true} for a WebSocket. Like the kubelet, it believes every certificate; the answer has
// its names and its fingerprint: `{ status, body, certificate }`.

import { randomBytes } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';

const [url, text = '{}'] = process.argv.slice(2);
const { upgrade, body, method, headers = {} } = JSON.parse(text);
const websocket = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': 13, 'sec-websocket-key': randomBytes(16).toString('base64') };

let certificate;
const answer = (status, content = '') => {
  process.stdout.write(JSON.stringify({ status, body: content, certificate }), () => process.exit(0));
};
const { request } = url.startsWith('https:') ? https : http;
const asked = request(url, { method, timeout: 5000, rejectUnauthorized: false, headers: { ...headers, ...(upgrade ? websocket : {}) } });
asked.on('socket', (socket) => {
  socket.once('secureConnect', () => {
    const { subjectaltname: names, fingerprint256: fingerprint } = socket.getPeerCertificate();
    certificate = { names, fingerprint };
  });
});
asked.on('upgrade', ({ statusCode }) => answer(statusCode));
asked.on('response', async (response) => {
  let content = '';
  for await (const part of response) content += part;
  answer(response.statusCode, content);
});
asked.on('timeout', () => answer(0, 'timeout'));
asked.on('error', (error) => answer(0, error.message));
asked.end(body);

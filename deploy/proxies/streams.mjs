// Response streams over TLS, as lines.

import { request } from 'node:https';
import { HOST, PAGE } from './sockets.mjs';

/**
 * Opens a stream through a proxy. Resolves to `{ status, end }` when the proxy passes on the head of the response.
 *
 * `take(line)` gets each complete line, `closed` is called when the stream has ended.
 */
export function openStream({ port, ca, path, method = 'GET', headers = {}, body, origin = PAGE, take = () => {}, closed = () => {} }) {
  return new Promise((resolve, reject) => {
    const ask = request({ host: '127.0.0.1', port, ca, servername: HOST, method, path, headers: { host: HOST, origin, ...headers }, agent: false }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        lines.forEach(take);
      });
      response.on('close', closed);
      resolve({ status: response.statusCode, end: () => ask.destroy() });
    });
    // A stream that breaks later is closed, too.
    ask.on('error', reject);
    ask.end(body);
  });
}

// Requests that HAProxy and a gateway could read in different ways (CWE-444). What hides in another request must not be carried out, and no client
// may get the answer of another one, although they share a connection to the gateway.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import { startGateway, until } from '../testing/processes.mjs';
import { PROXIES, startProxy } from './programs.mjs';
import { PROTOCOLS } from './protocols.mjs';
import { HOST } from './sockets.mjs';
import { openStream } from './streams.mjs';

const CHANNEL = 'recover:smuggled';
/** The longest time of a client, which is above all timeouts of HAProxy that count for it. */
const PATIENCE_MS = 15_000;
/** The answer to the upgrades of `sockets.mjs`, which all have the same key. */
const UPGRADED = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', '', ''].join('\r\n');

/** HAProxy with one gateway, to which all clients share connections: the second client may get what belongs to the first one. */
const shared = (() => {
  const { write, ...haproxy } = PROXIES.find(({ name }) => name === 'HAProxy');
  return { ...haproxy, write: (text, proxy) => write(text, proxy).replace(/^ +server n2 .*$/m, '    http-reuse always') };
})();

/** A request with a body, and further lines of its head. */
const post = (path, body, lines = '') => `POST ${path} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${lines}\r\n${body}`;
const tokenOf = (user, lines) => post('/demo/token', JSON.stringify({ user }), lines);
const chunk = (text, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;

const LAST = '0\r\n\r\n';

/** Lines about the length of a body, and the body, in which this request hides. */
const ATTACKS = {
  'a length, then chunks (CL.TE)': (hidden) => [`Content-Length: ${LAST.length + hidden.length}\r\nTransfer-Encoding: chunked\r\n`, LAST + hidden],
  'chunks, then a length (TE.CL)': (hidden) => [`Transfer-Encoding: chunked\r\nContent-Length: 4\r\n`, chunk(hidden) + LAST],
  'a folded coding': (hidden) => [`Content-Length: ${LAST.length + hidden.length}\r\nTransfer-Encoding:\r\n chunked\r\n`, LAST + hidden],
  'a coding in a folded line': (hidden) => [`Content-Length: ${LAST.length + hidden.length}\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n`, LAST + hidden],
  'a folded length': (hidden) => [`Content-Length:\r\n ${hidden.length}\r\n`, hidden],
  'two lengths, of which the first is right': (hidden) => [`Content-Length: ${hidden.length}\r\nContent-Length: 0\r\n`, hidden],
  'two lengths, of which the second is right': (hidden) => [`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`, hidden],
  'two lengths in one line': (hidden) => [`Content-Length: ${hidden.length}, 0\r\n`, hidden],
  'a length with a sign': (hidden) => [`Content-Length: +${hidden.length}\r\n`, hidden],
  'chunked, identity': (hidden) => [`Transfer-Encoding: chunked, identity\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'chunked, identity without a length': (hidden) => ['Transfer-Encoding: chunked, identity\r\n', LAST + hidden],
  'identity, chunked': (hidden) => [`Transfer-Encoding: identity, chunked\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'chunked, and identity in another line': (hidden) => [`Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'a coding that nobody knows': (hidden) => [`Transfer-Encoding: xchunked\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'a coding behind a vertical tab': (hidden) => [`Transfer-Encoding: \x0bchunked\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'a space before the colon': (hidden) => [`Transfer-Encoding : chunked\r\nContent-Length: ${LAST.length + hidden.length}\r\n`, LAST + hidden],
  'a coding behind a bare carriage return': (hidden) => [`Content-Length: ${LAST.length + hidden.length}\r\nX-A: b\rTransfer-Encoding: chunked\r\n`, LAST + hidden],
  'a chunk with an extension': (hidden) => ['Transfer-Encoding: chunked\r\n', chunk(hidden, ';a=b') + LAST],
  'a chunk whose extension ends with a line feed alone': (hidden) => ['Transfer-Encoding: chunked\r\n', `2;\nab\r\n${chunk(hidden)}${LAST}`],
  'a chunk whose extension has a carriage return': (hidden) => ['Transfer-Encoding: chunked\r\n', `2;\rab\r\n${chunk(hidden)}${LAST}`],
  'a chunk whose extension has a line in quotes': (hidden) => ['Transfer-Encoding: chunked\r\n', chunk(hidden, ';a="\r\n"') + LAST],
  'a chunk that is longer than it says': (hidden) => ['Transfer-Encoding: chunked\r\n', `1\r\n${hidden}\r\n${LAST}`],
  'a length behind the chunks': (hidden) => ['Transfer-Encoding: chunked\r\n', `${chunk(hidden)}0\r\nContent-Length: 0\r\n\r\n`],
  'a body that waits for permission': (hidden) => [`Expect: 100-continue\r\nContent-Length: ${hidden.length}\r\n`, hidden],
  'a body': (hidden) => [`Content-Length: ${hidden.length}\r\n`, hidden],
};

/** The requests in which others hide: one whose body counts, and one whose body means nothing. */
const OUTER = ['POST /demo/token', 'GET /livez'];
const outerOf = (line, [lines, body]) => `${line} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\n${lines}\r\n${body}`;

/** Takes the complete answers out of what a server has sent, as `{ status, body }`. What comes before an answer itself (100) is left out. */
function answersIn(text) {
  const answers = [];
  for (let rest = text; ;) {
    const head = /^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/.exec(rest);
    if (!head) return answers;
    const [start, status] = [head[0].length, Number(head[1])];
    const end = start + Number(/^content-length: *(\d+)/im.exec(head[0])?.[1] ?? 0);
    if (rest.length < end) return answers;
    if (status >= 200) answers.push({ status, body: rest.slice(start, end) });
    rest = rest.slice(end);
  }
}

/** The user in the token of an answer. */
function userIn({ body }) {
  const { token } = body.startsWith('{') ? JSON.parse(body) : {};
  return token && JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sub;
}

/** Sends bytes, and after each answer the next request. Resolves to the answers when the proxy has closed the connection. */
function exchange({ port, ca }, bytes, ...requests) {
  return new Promise((resolve, reject) => {
    let [text, answered] = ['', 0];
    const socket = connect({ port, host: '127.0.0.1', servername: HOST, ca }, () => socket.write(bytes, 'latin1'));
    socket.on('data', (part) => {
      text += part.toString('latin1');
      const { length } = answersIn(text);
      for (; answered < length; answered += 1) if (requests.length > 0) socket.write(requests.shift());
    });
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`the proxy neither answers nor closes: ${text}`)));
    // A proxy that closes before it has read everything resets the connection.
    socket.on('error', (error) => error.code !== 'ECONNRESET' && error.code !== 'EPIPE' && reject(error));
    socket.on('close', () => resolve(answersIn(text)));
  });
}

/**
 * Hides a request in each request, as each attack does, and sends the same two requests openly. `write` writes a request that publishes a text, and `published` has the
 * texts of those that the gateway has carried out, in order. Returns what is wrong.
 */
async function findings(proxy, write, published) {
  const [wrong, close] = [[], 'Connection: close\r\n'];
  let clients = 0;
  const newClient = () => `client-${(clients += 1)}`;
  for (const [line, [name, hide]] of OUTER.flatMap((each) => Object.entries(ATTACKS).map((attack) => [each, attack]))) {
    const what = `${line}: ${name}`;
    const note = (isWrong, how) => isWrong && wrong.push(`${what}: ${how}`);
    const before = (await published()).length;
    const own = newClient();
    const answers = await exchange(proxy, outerOf(line, hide(write(what))), tokenOf(own, close));
    // The answer to the attack, and if the connection is still open then that to the request behind it.
    note(answers.length !== 1 && !(answers.length === 2 && userIn(answers[1]) === own), `answered ${answers.map(({ status }) => status)}`);

    const others = [newClient(), newClient(), newClient()];
    const got = await exchange(proxy, tokenOf(others[0]), tokenOf(others[1]), tokenOf(others[2], close));
    note(got.map(userIn).join() !== others.join(), `${others} got the answers of ${got.map(userIn)}`);

    const [body, openly] = [JSON.stringify({ user: 'honest' }), `${what}, openly`];
    const two = await exchange(proxy, outerOf(line, [`Content-Length: ${body.length}\r\n`, body]) + write(openly, close));
    note(two.length !== 2, `sent openly: answered ${two.map(({ status }) => status)}`);
    // What was hidden would be published before.
    await until(openly, async () => (await published()).includes(openly));
    const done = (await published()).slice(before);
    note(done.length !== 1, `carried out: ${done}`);
  }
  return wrong;
}

/** A stream of the gateway through the proxy, for which requests publish. Resolves to a function that writes such a request. */
async function publisher(t, { port, ca }) {
  let reply;
  const take = (line) => (reply ??= JSON.parse(line).connect);
  const { end } = await openStream({ port, ca, ...PROTOCOLS.http_stream.request(CHANNEL), take });
  t.after(end);
  await until('the reply to connect', () => reply);
  let id = 2;
  return (data, lines) => {
    const { session, node } = reply;
    const command = JSON.stringify({ id: (id += 1), publish: { channel: CHANNEL, data } });
    return post('/emulation', JSON.stringify({ session, node, data: command }), lines);
  };
}

/** Stands for a gateway that takes each head for a request, whatever the lengths of bodies are. `published` has the texts that such requests have in a header. */
async function carelessGateway(t) {
  const published = [];
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest = '';
    socket.on('error', () => {}).on('data', (bytes) => {
      const heads = (rest + bytes.toString('latin1')).split('\r\n\r\n');
      rest = heads.pop();
      for (const head of heads.filter((each) => /(GET|POST) \S+ HTTP/.test(each))) {
        published.push(.../^x-text: (.*)$/im.exec(head)?.slice(1) ?? []);
        socket.write(head.includes('/connection/websocket') ? UPGRADED : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      }
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { published, port: server.address().port };
}

describe('requests that hide in others', { concurrency: false }, () => {
  test('behind HAProxy a request within a request is not carried out, and each client gets its own answer', async (t) => {
    const gateway = await startGateway(['public.trusted_proxies=127.0.0.1', 'public.proxy_idle_timeout=60s']);
    t.after(() => gateway.stop());
    const proxy = await startProxy(shared, [gateway.port, gateway.port]);
    t.after(() => proxy.stop());
    const hidden = await publisher(t, proxy);
    const published = async () => (await (await gateway.rest(`/v1/channels/${CHANNEL}/publications?limit=1000`)).json()).publications.map(({ data }) => data);
    assert.deepEqual(await findings(proxy, hidden, published), []);
    assert.equal((await published()).length, OUTER.length * Object.keys(ATTACKS).length);
  });

  test('the cases find a gateway that takes bodies for requests', async (t) => {
    const careless = await carelessGateway(t);
    const proxy = await startProxy(shared, [careless.port, careless.port]);
    t.after(() => proxy.stop());
    const write = (text, lines = '') => post('/emulation', '{}', `X-Text: ${text}\r\n${lines}`);
    const wrong = await findings(proxy, write, async () => careless.published);
    for (const each of ['a body', 'a folded length', 'a chunk with an extension']) {
      assert(wrong.some((text) => text.startsWith('GET /livez') && text.includes(`: ${each}: carried out: `)), `${each} is noticed: ${wrong.join('\n')}`);
    }
  });
});

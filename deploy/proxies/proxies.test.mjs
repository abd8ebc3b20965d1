// Each proxy with its configuration of this folder, in front of two gateways. Run by `just test-proxies`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { freePort, start, startGateway, until } from '../testing/processes.mjs';

const HOST = 'chat.example';
/** The client has another address than the proxy, which is at 127.0.0.1. */
const CLIENT = '127.0.0.2';
/** Longer than the idle timeouts in the configurations. */
const IDLE_MS = 75_000;

const folder = mkdtempSync(join(tmpdir(), 'proxies-'));
const path = (name) => join(folder, name);

/** Upgrades through the proxy. Returns the status, the connection's id and its socket. */
function upgrade(port, origin, lines = []) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: CLIENT, servername: HOST, ca: readFileSync(path('crt')) });
    const request = ['GET /connection/websocket HTTP/1.1', `Host: ${HOST}`, 'Upgrade: websocket', 'Connection: Upgrade', `Origin: ${origin}`,
      'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...lines, '', ''];
    socket.once('error', reject);
    socket.once('secureConnect', () => socket.write(request.join('\r\n')));
    let head = '';
    socket.on('data', function read(bytes) {
      head += bytes.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      const [, id] = /x-connection-id: (\w+)/i.exec(head) ?? [];
      resolve({ status: Number(head.split(' ')[1]), id, socket });
    });
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(head)}`)));
  });
}

/** A masked text frame. */
const frame = (text) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

const PROXIES = [
  {
    name: 'nginx',
    program: 'nginx',
    write(text, port) {
      text = text.replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`).replace('/etc/ssl/chat.example.crt', path('crt'));
      text = text.replace('/etc/ssl/chat.example.key', path('key'));
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${path(each)};`).join(' ');
      return `daemon off; pid ${path('nginx.pid')}; error_log stderr; events {} http { access_log off; ${temporary}\n${text}\n}`;
    },
    file: 'nginx.conf',
    arguments: (file) => ['-p', folder, '-c', file],
  },
  ...[['HAProxy', 'haproxy.cfg', []], ['HAProxy without HTTP', 'haproxy-tcp.cfg', ['public.proxy_protocol=true']]].map(([name, file, settings]) => ({
    name,
    program: 'haproxy',
    file,
    settings,
    write: (text, port) => text.replace('bind :443', `bind 127.0.0.1:${port}`).replace('/etc/ssl/chat.example.pem', path('pem')).replace('maxconn 100000', 'maxconn 1000'),
    arguments: (written) => ['-db', '-f', written],
  })),
  {
    name: 'Caddy',
    program: 'caddy',
    file: 'Caddyfile',
    write: (text, port) => `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${text.replace('chat.example {', `${HOST}:${port} {\n\tbind 127.0.0.1\n\ttls ${path('crt')} ${path('key')}`)}`,
    arguments: (written) => ['run', '--config', written, '--adapter', 'caddyfile'],
  },
];

before(() => {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path('key'), '-out', path('crt'),
    '-days', '2', '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`], { stdio: 'ignore' });
  writeFileSync(path('pem'), readFileSync(path('crt'), 'utf8') + readFileSync(path('key'), 'utf8'));
});
after(() => rmSync(folder, { recursive: true }));

for (const proxy of PROXIES) {
  describe(proxy.name, { concurrency: false }, () => {
    let gateways, running, port;
    const page = `https://${HOST}`;

    before(async () => {
      const settings = ['public.trusted_proxies=127.0.0.1', 'public.proxy_idle_timeout=60s', 'drain.delay=8s', 'drain.window=0s', ...(proxy.settings ?? [])];
      gateways = [await startGateway(settings), await startGateway(settings)];
      port = await freePort();
      const [first, second] = gateways;
      const written = path(`${proxy.file}.written`);
      const text = readFileSync(join(import.meta.dirname, proxy.file), 'utf8').replace(':8000', `:${first.port}`).replace(':8010', `:${second.port}`);
      writeFileSync(written, proxy.write(text, port));
      running = start(proxy.program, proxy.arguments(written), { HOME: folder, XDG_CONFIG_HOME: folder });
      await until(proxy.name, async () => {
        assert.equal(running.child.exitCode, null, running.log);
        return upgrade(port, page).then(({ status, socket }) => (socket.destroy(), status === 101), () => false);
      });
    });
    after(() => Promise.all([running, ...(gateways ?? [])].map((each) => each?.stop())));

    /** The address of a connection, whichever node has it. */
    const shown = async (id) => {
      for (const { rest } of gateways) {
        const answer = await rest(`/v1/connections/${id}`);
        if (answer.ok) return (await answer.json()).address;
      }
      return assert.fail('no node has the connection');
    };

    test('the page of its host may connect, and others may not', async () => {
      const { status, id, socket } = await upgrade(port, page);
      assert.deepEqual([status, await shown(id)], [101, CLIENT]);
      socket.destroy();
      for (const lines of [[], ['X-Forwarded-Host: evil.example'], ['Forwarded: for=6.6.6.6;host=evil.example']]) {
        const refused = await upgrade(port, 'https://evil.example', lines);
        refused.socket.destroy();
        assert.equal(refused.status, 403, lines[0]);
      }
    });

    test('a client cannot choose its address', async () => {
      for (const lines of [['X-Forwarded-For: 6.6.6.6'], ['Forwarded: for=6.6.6.6'], ['X-Forwarded-For: 6.6.6.6, 127.0.0.1', 'Forwarded: for="6.6.6.6']]) {
        const { status, id, socket } = await upgrade(port, page, lines);
        assert.deepEqual([status, status === 101 && (await shown(id))], [101, CLIENT], lines.join());
        socket.destroy();
      }
    });

    test('a connection without traffic stays open because of its pings', async () => {
      const { socket } = await upgrade(port, page);
      let closed = false;
      let pings = 0;
      socket.once('close', () => (closed = true));
      socket.on('data', (bytes) => {
        if (!bytes.subarray(2).equals(Buffer.from('{}'))) return;
        pings += 1;
        socket.write(frame('{}'));
      });
      socket.write(frame('{"id":1,"connect":{}}'));
      await sleep(IDLE_MS);
      assert(!closed && pings >= 2, `${pings} pings, closed: ${closed}`);
      socket.destroy();
    });

    test('while a node ends, nobody is refused', async () => {
      const [first] = gateways;
      first.child.kill('SIGTERM');
      let ended = false;
      first.ended.then(() => (ended = true));
      while (!ended) {
        const { status, socket } = await upgrade(port, page);
        socket.destroy();
        assert.equal(status, 101);
        await sleep(20);
      }
    });
  });
}

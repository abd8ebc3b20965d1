// The streams behind nginx: with the default settings of Debian, which speak HTTP/1.0 to the gateway and buffer; with those and deaf to what the
// gateway asks for; and with nginx.conf of this folder. With the SDK and its list of transports, and with an EventSource.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { client, subscribed } from '../../gateway/tests/sdk/support/client.mjs';
import { openInNode } from '../../gateway/tests/sdk/support/event-stream.mjs';
import { EventRecorder, next } from '../../gateway/tests/sdk/support/wait.mjs';
import { ROOT, freePort, start, startGateway, until } from '../testing/processes.mjs';

/** How soon the SDK uses another transport if one is mute. */
const NOTICED_MS = 10_000;
/** Longer than nginx waits for a gateway that says nothing, in these tests. */
const IDLE_MS = 12_000;
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What Debian's nginx.conf says, with one site that passes everything to the gateway and has no setting of its own. */
const debian = (port, gateway, more = '') => `
  http {
    sendfile on;
    tcp_nopush on;
    gzip on;
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://127.0.0.1:${gateway};
        proxy_read_timeout 10s;
        ${more}
      }
    }
  }`;

/** nginx.conf of this folder without TLS. The gateway is both nodes. */
function ofThisFolder(port, gateway) {
  const text = readFileSync(join(ROOT, 'deploy/proxies/nginx.conf'), 'utf8');
  const http = text.slice(text.indexOf('http {'));
  assert(http.includes('listen 443 ssl;') && http.includes('proxy_read_timeout 60s;'));
  return http
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
    .replace(/ssl_certificate.*;/g, '')
    .replace(/server 127\.0\.0\.1:80[01]0;/g, `server 127.0.0.1:${gateway};`)
    .replace('proxy_read_timeout 60s;', 'proxy_read_timeout 10s;');
}

/** How nginx is set up, and the transport of its list that the SDK comes to use. nginx passes upgrades on only if its configuration says so. */
const SETUPS = {
  'the default settings': { write: debian, expected: 'http_stream', flows: true },
  'the default settings, with HTTP/1.1 to the gateway': {
    write: (port, gateway) => debian(port, gateway, 'proxy_http_version 1.1;'), expected: 'http_stream', flows: true,
  },
  'the default settings, deaf to X-Accel-Buffering': {
    write: (port, gateway) => debian(port, gateway, 'proxy_ignore_headers X-Accel-Buffering;'), expected: undefined, flows: false,
  },
  'buffering of everything but event streams': {
    write: (port, gateway) => debian(port, gateway, 'proxy_ignore_headers X-Accel-Buffering;')
      .replace('location / {', `location /connection/sse { proxy_pass http://127.0.0.1:${gateway}; proxy_buffering off; proxy_read_timeout 10s; }\n      location / {`),
    expected: 'sse', flows: false,
  },
  'nginx.conf of this folder': { write: ofThisFolder, expected: 'websocket', flows: true },
};

/** Starts nginx with a part `http` of its configuration. */
async function startNginx(write, gateway) {
  const [folder, port] = [mkdtempSync(join(tmpdir(), 'nginx-')), await freePort()];
  const path = (name) => join(folder, name);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${path(each)};`).join(' ');
  const http = write(port, gateway).replace('http {', `http { access_log off; ${temporary}`);
  writeFileSync(path('nginx.conf'), `daemon off; pid ${path('pid')}; error_log stderr; worker_processes 1;\nevents { worker_connections 768; }\n${http}`);
  execFileSync('nginx', ['-p', folder, '-c', path('nginx.conf'), '-t'], { stdio: 'pipe' });
  const running = start('nginx', ['-p', folder, '-c', path('nginx.conf')], {}, { detached: true });
  const url = `http://127.0.0.1:${port}`;
  await until('nginx', () => fetch(`${url}/livez`).then(({ ok }) => ok, () => false));
  return { url, websocket: `${url.replace('http', 'ws')}/connection/websocket`, stop: () => running.stop().then(() => rmSync(folder, { recursive: true })) };
}

describe('streams behind nginx with', { concurrency: true }, () => {
  let gateway;

  before(async () => {
    gateway = await startGateway(['public.trusted_proxies=127.0.0.1', 'streams.heart_beat=5s', 'connection.ping_interval=5s', 'connection.pong_timeout=2s', 'streams.retry=200ms', 'drain.window=0s']);
  });
  after(() => gateway?.stop());

  const publish = async (channel, data) => {
    const answer = await gateway.rest(`/v1/channels/${encodeURIComponent(channel)}/publications`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ data }),
    });
    assert(answer.ok, `${answer.status}`);
  };

  for (const [n, [name, { write, expected, flows }]] of Object.entries(SETUPS).entries()) {
    describe(name, { concurrency: true }, () => {
      let nginx;

      before(async () => {
        nginx = await startNginx(write, gateway.port);
      });
      after(() => nginx?.stop());

      /** Connects with these transports. Resolves to the client, or fails. */
      async function connected(t, transport) {
        const it = client(t, nginx, { transport });
        const answered = next(it, 'connected');
        it.connect();
        it.context = await answered;
        return it;
      }

      /** Subscribes, publishes both ways, and does it again after a time in which only the pings come. */
      async function converses(it, channel) {
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication', ({ data }) => data);
        const cuts = new EventRecorder(it, 'connecting');
        await publish(channel, 1);
        await subscription.publish(2);
        await got.count(2);
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        for (const data of range(3, 300)) await publish(channel, data);
        assert.deepEqual(await got.count(300), range(1, 300));
        assert.deepEqual(cuts.all, [], 'the pings keep the stream open');
      }

      if (expected) {
        test(`the SDK uses ${expected} of its list within 10 s`, async (t) => {
          const begun = performance.now();
          const it = await connected(t, ['websocket', 'http_stream', 'sse']);
          assert.equal(it.context.transport, expected);
          assert(performance.now() - begun < NOTICED_MS, `${performance.now() - begun} ms`);
          await converses(it, `recover:nginx-${n}-list`);
        });
      }

      for (const transport of ['http_stream', 'sse'].filter((each) => flows || each === expected)) {
        test(`${transport} flows`, async (t) => converses(await connected(t, transport), `recover:nginx-${n}-${transport}`));
      }

      for (const transport of ['http_stream', 'sse'].filter((each) => !flows && each !== expected)) {
        test(`${transport} is mute, and the SDK notices it within 10 s`, async (t) => {
          const it = client(t, nginx, { transport });
          const begun = performance.now();
          const failed = next(it, 'error');
          it.connect();
          await failed;
          assert.equal(it.state, 'connecting');
          assert(performance.now() - begun < NOTICED_MS, `${performance.now() - begun} ms`);
        });
      }

      if (flows) {
        test('an EventSource gets everything at once, and stays open', async (t) => {
          const channel = `recover:nginx-${n}-events`;
          const stream = openInNode(t, `${nginx.url}/events?channel=${channel}`);
          await stream.count('open', 1);
          await publish(channel, 1);
          await stream.data(1);
          await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
          for (const data of range(2, 100)) await publish(channel, data);
          assert.deepEqual(await stream.data(100), range(1, 100));
          assert.deepEqual(stream.of('error'), []);
        });
      }
    });
  }
});

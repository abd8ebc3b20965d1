// Each proxy with its configuration of this folder, in front of two gateways. Run by `just test-proxies`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, until } from '../testing/processes.mjs';
import { PROXIES, startProxy } from './programs.mjs';
import { PROTOCOLS, STREAMS, Subscriber } from './protocols.mjs';
import { open } from './sockets.mjs';
import { openStream } from './streams.mjs';

/** The client has another address than the proxy, which is at 127.0.0.1. */
const CLIENT = '127.0.0.2';
/** Longer than the idle timeouts in the configurations. */
const IDLE_MS = 75_000;

// The proxies wait for the end of the idle time together.
describe('behind', { concurrency: true }, () => {
  for (const description of PROXIES) {
    describe(description.name, { concurrency: false }, () => {
      const gateways = [];
      let proxy, idle, idleSince;

      before(async () => {
        const settings = ['public.trusted_proxies=127.0.0.1', 'public.proxy_idle_timeout=60s', 'drain.delay=8s', 'drain.window=0s', ...(description.settings ?? [])];
        for (let n = 0; n < 2; n += 1) gateways.push(await startGateway(settings));
        proxy = await startProxy(description, gateways.map(({ port }) => port));
        idleSince = Date.now();
        idle = await Promise.all(Object.keys(PROTOCOLS).map((protocol) => Subscriber.open(protocol, 'open:idle', { port: proxy.port, ca: proxy.ca })));
      });
      after(async () => {
        for (const each of idle ?? []) each.close();
        await Promise.all([proxy, ...gateways].map((each) => each?.stop()));
      });

      const upgrade = (options) => open({ port: proxy.port, ca: proxy.ca, from: CLIENT, ...options });

      /** The address of a connection, whichever node has it. */
      const shown = async (id) => {
        for (const { rest } of gateways) {
          const answer = await rest(`/v1/connections/${id}`);
          if (answer.ok) return (await answer.json()).address;
        }
        return assert.fail('no node has the connection');
      };

      /** Publishes on both nodes, which share no store here. */
      const publish = (data, channel = 'open:idle') => Promise.all(gateways.map(async ({ rest }) => {
        const answer = await rest(`/v1/channels/${channel}/publications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ data }) });
        assert(answer.ok, `${answer.status}`);
      }));

      const allGet = async (text) => {
        await publish({ text });
        for (const [n, protocol] of Object.keys(PROTOCOLS).entries()) await until(`${text} by ${protocol}`, () => idle[n].received.includes(text));
      };

      test('the page of its host may connect, and others may not', async () => {
        const { status, id, socket } = await upgrade();
        assert.deepEqual([status, await shown(id)], [101, CLIENT]);
        socket.destroy();
        for (const lines of [[], ['X-Forwarded-Host: evil.example'], ['Forwarded: for=6.6.6.6;host=evil.example']]) {
          const refused = await upgrade({ origin: 'https://evil.example', lines });
          refused.socket.destroy();
          assert.equal(refused.status, 403, lines[0]);
        }
      });

      test('a client cannot choose its address', async () => {
        for (const lines of [['X-Forwarded-For: 6.6.6.6'], ['Forwarded: for=6.6.6.6'], ['X-Forwarded-For: 6.6.6.6, 127.0.0.1', 'Forwarded: for="6.6.6.6']]) {
          const { status, id, socket } = await upgrade({ lines });
          assert.deepEqual([status, status === 101 && (await shown(id))], [101, CLIENT], lines.join());
          socket.destroy();
        }
      });

      test('a client of each protocol that is idle stays connected because of the pings', async () => {
        await allGet('before');
        await sleep(idleSince + IDLE_MS - Date.now());
        for (const [n, protocol] of Object.keys(PROTOCOLS).entries()) {
          const { isClosed, pings } = idle[n];
          assert(!isClosed && pings >= 2, `${protocol}: ${pings} pings, closed: ${isClosed}`);
        }
        await allGet('afterwards');
      });

      test('a stream passes at once, and ends when its client leaves', async () => {
        const open = async () => (await Promise.all(gateways.map(({ rest }) => rest('/metrics').then((answer) => answer.text()))))
          .reduce((sum, text) => sum + Number(/^switchboard_connections_open (\d+)$/m.exec(text)[1]), 0);
        const before = await open();
        const streams = await Promise.all(STREAMS.map((protocol) => Subscriber.open(protocol, 'open:streams', { port: proxy.port, ca: proxy.ca })));
        const say = (text) => publish({ text }, 'open:streams');
        for (let n = 0; n < 20; n += 1) {
          const began = Date.now();
          await say(`line ${n}`);
          await until(`line ${n}`, () => streams.every(({ received }) => received.includes(`"line ${n}"`)));
          assert(Date.now() - began < 1_000, `line ${n} took ${Date.now() - began} ms`);
        }
        for (const stream of streams) stream.close();
        // Some proxies notice only when the gateway writes.
        await until('the end of the streams', async () => (await say('more'), await open()) <= before);
      });

      test('pages of other hosts get no stream', async () => {
        for (const protocol of STREAMS) {
          const { status, end } = await openStream({ port: proxy.port, ca: proxy.ca, ...PROTOCOLS[protocol].request('open:idle'), origin: 'https://evil.example' });
          end();
          assert.equal(status, 403, protocol);
        }
      });

      test('while a node ends, nobody is refused', async () => {
        // A proxy that has just started may probe seldom.
        await proxy.kill();
        proxy.begin();
        await proxy.ready();
        const [first] = gateways;
        first.child.kill('SIGTERM');
        let ended = false;
        first.ended.then(() => (ended = true));
        while (!ended) {
          const { status, socket } = await upgrade();
          socket.destroy();
          assert.equal(status, 101);
          await sleep(20);
        }
      });
    });
  }
});

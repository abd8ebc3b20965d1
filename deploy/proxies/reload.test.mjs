// A reload of each proxy and its sudden end, under 2,000 clients of two gateways that share a Redis. Everybody is cut, and has every publication once and
// in order afterwards, without a read of Redis for each client. It prints the figures.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { startGateway, startRedis, until } from '../testing/processes.mjs';
import { Crowd } from './crowd.mjs';
import { PROXIES, startProxy } from './programs.mjs';
import { HOST } from './sockets.mjs';

const CLIENTS = 2_000;
const CHANNELS = Array.from({ length: 20 }, (_, n) => `recover:reload-${n}`);
/** Each channel gets one publication in this time. */
const PACE_MS = 500;
const READS_PER_CLIENT = 0.05;
const CUT_WITHIN_MS = 30_000;
const rows = [];

/** Publishes into all channels in turn, through both gateways, until it is stopped. */
class Publisher {
  /** The newest offset of each channel. */
  tops = new Map();

  constructor(gateways) {
    this.done = this.#publish(gateways);
  }

  async #publish(gateways) {
    for (let n = 0; !this.stopped; n += 1) {
      const [channel, { rest }] = [CHANNELS[n % CHANNELS.length], gateways[n % 2]];
      const answer = await rest(`/v1/channels/${encodeURIComponent(channel)}/publications`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ data: { n } }),
      });
      const { offset } = await answer.json();
      assert(answer.ok && offset, `a publish ended with ${answer.status}`);
      this.tops.set(channel, offset);
      await sleep(PACE_MS / CHANNELS.length);
    }
  }

  stop() {
    this.stopped = true;
    return this.done;
  }
}

/** What cuts the clients. */
const EVENTS = {
  reload: (proxy) => proxy.reload(),
  // Everybody at once, without a close frame.
  async 'kill -9'(proxy) {
    await proxy.kill();
    proxy.begin();
  },
};

/** Whether the proxy refuses TLS 1.2, which is the change. */
function tlsVersionRefused({ port, ca }) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: HOST, ca, maxVersion: 'TLSv1.2' }, () => (socket.destroy(), resolve(false)));
    socket.once('error', () => resolve(true));
  });
}

describe('2,000 clients', { concurrency: false }, () => {
  const gateways = [];
  let redis;

  before(async () => {
    redis = await startRedis();
    const settings = ['broker.kind=redis', `redis.url=${redis.url}`, 'public.trusted_proxies=127.0.0.1'];
    for (let n = 0; n < 2; n += 1) gateways.push(await startGateway(settings));
  });
  after(async () => {
    await Promise.all([...gateways, redis].map((each) => each?.stop()));
    console.table(rows);
  });

  /** The sum of a metric over the gateways. */
  async function metric(name) {
    const texts = await Promise.all(gateways.map(({ rest }) => rest('/metrics').then((answer) => answer.text())));
    const values = texts.map((text) => Number(text.split('\n').find((line) => line.startsWith(`switchboard_${name} `))?.split(' ')[1]));
    return values.reduce((sum, value) => sum + value, 0);
  }

  /**
   * Counts since the start of Redis and the gateways.
   *
   * Redis counts the reads: whoever reads a history or its top runs a script that asks once for the newest entry with XREVRANGE. So the audit
   * of the gateways is included, and the histories of personal channels. Beside that, a connect with a token looks up the subscriptions
   * (HGETALL) and the revocation (GET) of its user. Each publish has a GET and an XADD.
   */
  async function counts() {
    const commands = redis.calls();
    const sum = (...names) => names.reduce((total, name) => total + (commands[name] ?? 0), 0);
    return {
      reads: sum('xrevrange'),
      'lookups of users': sum('hgetall', 'get') - sum('xadd'),
      'reads for clients': await metric('history_reads_total{result="begun"}'),
      shared: await metric('history_reads_total{result="shared"}'),
      'from memory': await metric('recoveries_from_memory_total'),
    };
  }

  const cases = [...PROXIES.map((description) => ({ description, users: false })), { description: PROXIES[0], users: true }];
  for (const { description, users } of cases.filter(({ description }) => !description.isVariant)) {
    const kind = users ? 'signed-in' : 'anonymous';
    describe(`${description.name}, ${kind}`, { concurrency: false }, () => {
      let proxy, crowd;

      before(async () => {
        proxy = await startProxy(description, gateways.map(({ port }) => port));
        crowd = new Crowd(proxy, CHANNELS, CLIENTS, { users });
        await crowd.join();
      });
      after(async () => {
        await crowd?.leave();
        await proxy?.stop();
      });

      if (description.change) {
        test('a change of the dynamic configuration cuts nobody', async () => {
          crowd.reset();
          await description.change(proxy);
          await until('the change', () => tlsVersionRefused(proxy));
          await sleep(2_000);
          assert.equal(crowd.sum('cuts'), 0);
        });
      }

      for (const [event, cut] of Object.entries(EVENTS)) {
        test(`${event}: all are whole again`, async (t) => {
          crowd.reset();
          const publisher = new Publisher(gateways);
          t.after(() => publisher.stop());
          await sleep(2 * PACE_MS);
          const [before, began] = [await counts(), Date.now()];
          await cut(proxy);
          await until('the cut of all clients', () => crowd.clients.every(({ cuts }) => cuts > 0), CUT_WITHIN_MS);
          await crowd.allLive();
          const [whole, later] = [Date.now(), await counts()];
          const cutsAt = crowd.clients.map(({ cutAt }) => cutAt - began);
          const [first, last] = [Math.min(...cutsAt), Math.max(...cutsAt)];
          await publisher.stop();
          await until('the last publication', () => crowd.clients.every(({ channel, offset }) => offset >= publisher.tops.get(channel)));
          const figures = Object.fromEntries(Object.entries(later).map(([name, count]) => [`${name} per client`, Number(((count - before[name]) / CLIENTS).toFixed(4))]));
          const [cuts, closed, lost, duplicated] = ['cuts', 'closed', 'lost', 'duplicated'].map((name) => crowd.sum(name));
          rows.push({ proxy: description.name, clients: kind, event, cuts, 'with a close frame': closed, 'first cut (ms)': first, 'last cut (ms)': last, 'whole (ms)': whole - began, lost, duplicated, ...figures });
          if (event === 'kill -9') assert.equal(closed, 0);
          if (event === 'reload') assert(first > description.keepsFor * 1_000 - 100, `the first cut was after ${first} ms`);
          assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 });
          if (!users) assert(figures['reads per client'] < READS_PER_CLIENT, `${figures['reads per client']} reads of Redis per client`);
        });
      }
    });
  }
});

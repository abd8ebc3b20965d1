// A reload of each proxy and its sudden end, under 2,000 clients of two gateways that share a Redis. Everybody is cut, and everybody has every publication
// once and in order afterwards. It prints what that costs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, startRedis, until } from '../testing/processes.mjs';
import { Crowd } from './crowd.mjs';
import { PROXIES, startProxy } from './programs.mjs';

const CLIENTS = Number(process.env.CLIENTS ?? 2_000);
const CHANNELS = Array.from({ length: 20 }, (_, n) => `recover:reload-${n}`);
/** Each channel gets one publication in this time. */
const PACE_MS = 500;
const READS_PER_CLIENT = 0.05;
const rows = [];

/** Publishes into all channels in turn, through both gateways, until it is stopped. */
class Publisher {
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
      assert(answer.ok, await (answer.ok || answer.text()));
      this.tops.set(channel, (await answer.json()).offset);
      await sleep(PACE_MS / CHANNELS.length);
    }
  }

  stop() {
    this.stopped = true;
    return this.done;
  }
}

describe('a reload', { concurrency: false }, () => {
  let redis, gateways;

  before(async () => {
    redis = await startRedis();
    const settings = ['broker.kind=redis', `redis.url=${redis.url}`, 'public.trusted_proxies=127.0.0.1'];
    gateways = await Promise.all([startGateway(settings), startGateway(settings)]);
  });
  after(async () => {
    await Promise.all([...(gateways ?? []), redis].map((each) => each?.stop()));
    console.table(rows);
  });

  /** Sums of a metric of both gateways, by the text of its labels. */
  async function metric(name) {
    const texts = await Promise.all(gateways.map(({ rest }) => rest('/metrics').then((answer) => answer.text())));
    return texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith(`switchboard_${name}`)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  async function counts() {
    const [begun, shared, memory, reads] = await Promise.all([metric('history_reads_total{result="begun"}'), metric('history_reads_total{result="shared"}'), metric('recoveries_from_memory_total'), redis.calls()]);
    return { begun, shared, memory, commands: reads };
  }

  for (const description of PROXIES.filter(({ name }) => !process.env.ONLY || name === process.env.ONLY)) {
    for (const users of [false, true]) {
      for (const [event, how] of [['reload', (proxy) => proxy.reload()], ['kill -9', async (proxy) => {
        await proxy.kill();
        proxy.begin();
      }]]) {
        test(`${description.name}: ${event}, ${users ? 'signed-in' : 'anonymous'} clients`, async (t) => {
          const proxy = await startProxy(description, gateways.map(({ port }) => port));
          t.after(() => proxy.stop());
          const crowd = new Crowd(proxy, CHANNELS, CLIENTS, { users });
          t.after(() => crowd.leave());
          const publisher = new Publisher(gateways);
          t.after(() => publisher.stop());
          await crowd.join();
          await sleep(2_000);
          const earlier = await counts();
          const began = Date.now();
          await how(proxy);
          await until('the cut of all clients', () => crowd.clients.every(({ cuts }) => cuts > 0), 60_000);
          const cut = Date.now() - began;
          await crowd.allLive();
          const whole = Date.now() - began;
          await publisher.stop();
          await until('the last publication', () => crowd.clients.every(({ channel, offset }) => offset >= publisher.tops.get(channel)));
          const later = await counts();
          const commands = Object.entries(later.commands).map(([name, n]) => [name, n - (earlier.commands[name] ?? 0)]).filter(([, n]) => n > CLIENTS / 100);
          const reads = (later.begun - earlier.begun) / CLIENTS;
          rows.push({ proxy: description.name, event, clients: users ? 'signed-in' : 'anonymous', cuts: crowd.sum('cuts'), 'cut after ms': cut, 'whole after ms': whole, lost: crowd.sum('lost'), duplicated: crowd.sum('duplicated'), begun: later.begun - earlier.begun, shared: later.shared - earlier.shared, memory: later.memory - earlier.memory, reads });
          console.log(rows.at(-1), commands);
          assert.deepEqual([crowd.sum('lost'), crowd.sum('duplicated')], [0, 0]);
          if (!users) assert(reads < READS_PER_CLIENT, `${reads} reads of Redis per client`);
        });
      }
    }
  }
});

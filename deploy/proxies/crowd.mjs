// Many clients that behave as the SDK does: they connect again with its pauses, recover from their position, and answer pings.

import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../testing/processes.mjs';
import { frame, open } from './sockets.mjs';

/** A pause of the SDK before the next attempt. */
const pause = (attempt) => Math.min(20_000, 500 + Math.random() * Math.min(20_000, 500 * 2 ** attempt));

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token for the development settings. */
export function token(user) {
  const signed = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({ sub: user, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${signed}.${createHmac('sha256', 'dev-secret').update(signed).digest('base64url')}`;
}

class Client {
  #proxy;
  #user;
  #socket;
  #personal;
  #attempt = 0;
  /** Ends, close frames, gaps and repeats that this client saw. */
  cuts = 0;
  closed = 0;
  lost = 0;
  duplicated = 0;
  isLive = false;
  /** Its position in the channel. */
  epoch;
  offset;

  constructor(proxy, channel, user) {
    this.#proxy = proxy;
    this.#user = user;
    this.channel = channel;
  }

  /** Connects, and keeps the connection until `leave`. */
  async stay() {
    while (!this.left) {
      try {
        await this.#connection();
      } catch {
        // The proxy is away.
      }
      if (this.isLive) {
        this.cuts += 1;
        this.cutAt = Date.now();
      }
      this.isLive = false;
      if (!this.left) await sleep(pause(this.#attempt));
      this.#attempt += 1;
    }
  }

  leave() {
    this.left = true;
    this.#socket?.destroy();
  }

  #send(command) {
    this.#socket.write(frame(JSON.stringify(command)));
  }

  /** Resolves when the connection has ended. */
  async #connection() {
    const { status, socket } = await open({ port: this.#proxy.port, ca: this.#proxy.ca, take: (payload, opcode) => this.#take(payload, opcode) });
    this.#socket = socket;
    const ended = new Promise((resolve) => socket.once('close', resolve));
    if (status !== 101 || this.left) socket.destroy();
    else {
      const subs = this.#personal && { [`#${this.#user}`]: { recover: true, ...this.#personal } };
      this.#send({ id: 1, connect: { token: this.#user && token(this.#user), subs } });
    }
    await ended;
  }

  #take(payload, opcode) {
    if (opcode === 8) {
      this.closed += 1;
      return this.#socket.destroy();
    }
    for (const line of payload.toString().split('\n')) if (line) this.#message(JSON.parse(line));
  }

  #message({ id, connect, subscribe, push, error }) {
    if (error) return this.#socket.destroy();
    if (connect) {
      const personal = connect.subs?.[`#${this.#user}`];
      if (personal) this.#personal = { epoch: personal.epoch, offset: personal.offset ?? 0 };
      const from = this.epoch && { recover: true, epoch: this.epoch, offset: this.offset };
      return this.#send({ id: 2, subscribe: { channel: this.channel, ...from } });
    }
    if (subscribe) return this.#subscribed(subscribe);
    if (push?.channel === this.channel && push.pub) return this.#publication(push.pub);
    // An unsubscribe: the SDK would subscribe again.
    if (push?.unsubscribe) return this.#socket.destroy();
    if (id === undefined && !push) this.#send({});
  }

  #subscribed({ epoch, offset = 0, recovered, publications = [] }) {
    if (this.epoch === undefined) [this.epoch, this.offset] = [epoch, offset];
    else if (!recovered || epoch !== this.epoch) {
      this.lost += 1;
      [this.epoch, this.offset] = [epoch, offset];
    }
    for (const publication of publications) this.#publication(publication);
    this.#attempt = 0;
    this.isLive = true;
  }

  #publication({ offset }) {
    if (offset <= this.offset) return void (this.duplicated += 1);
    this.lost += offset - this.offset - 1;
    this.offset = offset;
  }
}

/** `size` clients, evenly on `channels`. With `users`, each is signed in as a user of its own. */
export class Crowd {
  constructor(proxy, channels, size, { users = false } = {}) {
    this.clients = Array.from({ length: size }, (_, n) => new Client(proxy, channels[n % channels.length], users ? `user-${n}` : undefined));
  }

  /** Connects all clients at a bounded rate. */
  async join() {
    this.ended = [];
    for (const [n, client] of this.clients.entries()) {
      this.ended.push(client.stay());
      if (n % 50 === 49) await sleep(100);
    }
    await this.allLive();
  }

  /** Forgets what the clients counted. */
  reset() {
    for (const client of this.clients) client.cuts = client.closed = client.lost = client.duplicated = 0;
  }

  /** Waits until all clients are live. */
  allLive() {
    return until('the subscription of all clients', () => this.clients.every(({ isLive }) => isLive), 120_000);
  }

  /** The sum of a count of all clients. */
  sum(count) {
    return this.clients.reduce((sum, client) => sum + client[count], 0);
  }

  async leave() {
    for (const client of this.clients) client.leave();
    await Promise.all(this.ended);
  }
}

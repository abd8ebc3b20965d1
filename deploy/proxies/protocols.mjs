// A client of each protocol of the public listener, as raw frames or lines.

import assert from 'node:assert/strict';
import { frame, open } from './sockets.mjs';
import { openStream } from './streams.mjs';

const ZERO = '\0';
const HEART_BEAT_MS = 10_000;
/** A field of Protobuf with bytes in it. */
const field = (number, bytes) => Buffer.from([number << 3 | 2, bytes.length, ...bytes]);
const commands = (channel) => `{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"${channel}"}}`;
const delimited = (bytes) => Buffer.from([bytes.length, ...bytes]);
const stomp = (channel) => [
  `CONNECT\naccept-version:1.2\nhost:gateway\nheart-beat:${HEART_BEAT_MS},${HEART_BEAT_MS}\n\n${ZERO}`,
  `SUBSCRIBE\nid:1\ndestination:/topic/${channel}\n\n${ZERO}`,
];

/**
 * What a client of each protocol sends first, which frames or lines are the gateway's pings, and what answers them. Those with a `request` are streams, which need no
 * answers.
 */
export const PROTOCOLS = {
  JSON: {
    path: '/connection/websocket',
    begin: (channel) => [commands(channel)],
    isPing: (payload) => payload.equals(Buffer.from('{}')),
    pong: '{}',
  },
  Protobuf: {
    path: '/connection/websocket',
    subprotocol: 'centrifuge-protobuf',
    begin: (channel) => [delimited(Buffer.from([0x08, 1, ...field(4, [])])), delimited(Buffer.from([0x08, 2, ...field(5, field(1, Buffer.from(channel)))]))],
    isPing: (payload) => payload.equals(Buffer.from([0])),
    pong: Buffer.from([0]),
  },
  STOMP: {
    path: '/stomp',
    subprotocol: 'v12.stomp',
    begin: stomp,
    isPing: (payload) => payload.equals(Buffer.from('\n')),
    heartBeat: '\n',
  },
  SockJS: {
    path: '/stomp/000/switchboard/websocket',
    begin: (channel) => stomp(channel).map((text) => JSON.stringify([text])),
    isPing: (payload) => payload.equals(Buffer.from('a["\\n"]')),
    heartBeat: '["\\n"]',
  },
  http_stream: {
    request: (channel) => ({ path: '/connection/http_stream', method: 'POST', headers: { 'content-type': 'application/json' }, body: commands(channel) }),
    isPing: (line) => line === '{}',
  },
  sse: {
    request: (channel) => ({ path: `/connection/sse?${new URLSearchParams({ cf_connect: commands(channel) })}` }),
    isPing: (line) => line === 'data: {}',
  },
  EventSource: {
    request: (channel) => ({ path: `/events?${new URLSearchParams({ channel })}` }),
    isPing: (line) => line === ':',
  },
};

/** The protocols whose clients read a response that does not end. */
export const STREAMS = Object.keys(PROTOCOLS).filter((protocol) => PROTOCOLS[protocol].request);

/** A subscriber that answers pings and sends nothing else. */
export class Subscriber {
  pings = 0;
  received = '';
  isClosed = false;

  static open(protocol, channel, to) {
    return STREAMS.includes(protocol) ? this.#openStream(protocol, channel, to) : this.#openSocket(protocol, channel, to);
  }

  static async #openStream(protocol, channel, to) {
    const [subscriber, { request, isPing }] = [new Subscriber(), PROTOCOLS[protocol]];
    const take = (line) => {
      subscriber.received += line;
      if (isPing(line)) subscriber.pings += 1;
    };
    const { status, end } = await openStream({ ...to, ...request(channel), take, closed: () => (subscriber.isClosed = true) });
    assert.equal(status, 200, protocol);
    subscriber.close = end;
    return subscriber;
  }

  static async #openSocket(protocol, channel, to) {
    const [subscriber, { path, subprotocol, begin, isPing, pong, heartBeat }] = [new Subscriber(), PROTOCOLS[protocol]];
    const lines = subprotocol ? [`Sec-WebSocket-Protocol: ${subprotocol}`] : [];
    const take = (payload) => {
      subscriber.received += payload.toString('latin1');
      if (!isPing(payload)) return;
      subscriber.pings += 1;
      if (pong) subscriber.socket.write(frame(pong));
    };
    const { status, socket } = await open({ ...to, path, lines, take });
    assert.equal(status, 101, protocol);
    subscriber.socket = socket;
    subscriber.close = () => socket.destroy();
    const timer = heartBeat && setInterval(() => socket.write(frame(heartBeat)), HEART_BEAT_MS);
    socket.once('close', () => {
      subscriber.isClosed = true;
      clearInterval(timer);
    });
    for (const each of begin(channel)) socket.write(frame(each));
    return subscriber;
  }
}

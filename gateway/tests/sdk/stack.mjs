// The running stack, and small things that every test needs. Nothing here sleeps: tests wait for what they expect.
import { createHmac } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with \`just test-sdk\`, which starts a stack for them`);
  return value;
}

export const front = required('SWITCHBOARD_URL').replace(/\/$/, '');
export const api = required('SWITCHBOARD_API').replace(/\/$/, '');
export const socketUrl = `${front.replace(/^http/, 'ws')}/connection/websocket`;
const key = process.env.SWITCHBOARD_API_KEY ?? 'dev';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of the development settings' key. */
export function token(claims) {
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ exp: soon(3600), ...claims })}`;
  return `${body}.${createHmac('sha256', 'dev-secret').update(body).digest('base64url')}`;
}

/** Seconds since 1970, so many from now. */
export const soon = (seconds) => Math.floor(Date.now() / 1000) + seconds;

let channels = 0;
/** A channel that no other test uses. */
export const channel = (namespace) => `${namespace}:${process.pid}-${++channels}`;
export const user = (name) => `${name}-${process.pid}-${++channels}`;

/** A REST request of a service; answers status and body. */
export async function rest(method, path, body, headers = {}) {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

export const publish = (to, data) => rest('POST', `/v1/channels/${encodeURIComponent(to)}/publications`, { data });

/** Resolves with the first event for which `wanted` holds; fails after five seconds. */
export function event(emitter, name, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no event '${name}' within 5 s`)), 5000);
    const listen = (context) => {
      if (!wanted(context)) return;
      clearTimeout(late);
      emitter.off(name, listen);
      resolve(context);
    };
    emitter.on(name, listen);
  });
}

/** A client that is closed with its test. `sockets` holds its WebSockets, the newest last. */
export function client(t, options = {}) {
  const sockets = [];
  class Recorded extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  const it = new Centrifuge(socketUrl, { websocket: Recorded, minReconnectDelay: 50, maxReconnectDelay: 200, ...options });
  t.after(() => it.disconnect());
  return Object.assign(it, { sockets });
}

/** A connected client of a user, or an anonymous one. */
export async function connected(t, name, options = {}) {
  const it = client(t, name ? { token: token({ sub: name }), ...options } : options);
  it.connect();
  await it.ready(5000);
  return it;
}

/** A live subscription, with what came in `got`. */
export async function subscribed(it, to, options = {}) {
  const subscription = it.newSubscription(to, options);
  const got = [];
  subscription.on('publication', (publication) => got.push(publication));
  const first = event(subscription, 'subscribed');
  subscription.subscribe();
  return Object.assign(subscription, { got, first: await first });
}

/** Resolves once `condition` holds, looked at whenever `emitter` emits `name`. */
export async function until(emitter, name, condition) {
  if (!condition()) await event(emitter, name, condition);
}

/** A bare WebSocket: `ask(text)` sends it, `next()` is the next message, `closed` its close code. */
export async function raw(t) {
  const socket = new WebSocket(socketUrl);
  const waiting = [];
  const messages = [];
  socket.on('message', (message) => {
    const resolve = waiting.shift();
    if (resolve) resolve(String(message));
    else messages.push(String(message));
  });
  const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  t.after(() => socket.terminate());
  const next = () => (messages.length ? Promise.resolve(messages.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { ask: (text) => socket.send(text), next, closed };
}

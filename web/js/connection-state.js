/** The state of the connection, derived from the SDK's events. */

import { OffsetCheck } from './offset-check.js';
import { longestDelay } from './session.js';

/**
 * Events: `change`. `state` is connecting, connected, waiting (for the next attempt), cut or closed.
 * `nextBefore` is the latest start of the next attempt (`performance.now()`), 0 if unknown.
 */
export class ConnectionState extends EventTarget {
  state = 'connecting';
  transport = '';
  client = '';
  reason = '';
  attempt = 0;
  nextBefore = 0;
  drops = 0;
  recovered = 0;
  offsets = new OffsetCheck();
  #socket;
  #recovering = false;
  #first = true;

  constructor(client, socket) {
    super();
    this.#socket = socket;
    client.on('connected', (context) => this.#connected(context));
    client.on('connecting', ({ reason }) => this.#lost(reason));
    client.on('error', ({ error }) => this.#failed(error));
    client.on('disconnected', (context) => this.#closed(context));
    client.on('subscribed', (context) => this.#subscribed(context, context.wasRecovering));
    client.on('publication', (publication) => this.#record(publication));
    socket.addEventListener('cut', () => this.#change(client.state === 'connected' ? this.state : 'cut'));
    socket.addEventListener('restored', () => this.state === 'cut' && this.#change('connecting'));
  }

  /** Records the publications of a subscription. Its first read of the history does not count as recovery. */
  watch = (sub) => {
    let isBack = false;
    sub.on('subscribed', (context) => {
      this.#subscribed(context, isBack && context.wasRecovering);
      isBack = true;
    });
    sub.on('publication', (publication) => this.#record(publication));
    sub.on('unsubscribed', ({ channel }) => this.offsets.forget(channel));
  };

  /**
   * A subscription is active. The SDK delivers recovered publications right after this event,
   * in the same turn. So all publications until the end of the turn were recovered.
   */
  #subscribed(context, isRecovery) {
    this.offsets.subscribed(context.channel, context);
    if (!isRecovery || !context.hasRecoveredPublications) return;
    this.#recovering = true;
    queueMicrotask(() => { this.#recovering = false; });
  }

  #record({ channel, offset }) {
    const { missing, duplicates } = this.offsets;
    this.offsets.publication(channel, offset);
    if (this.#recovering) this.recovered += 1;
    if (this.#recovering || missing !== this.offsets.missing || duplicates !== this.offsets.duplicates) this.#change(this.state);
  }

  #connected({ transport, client }) {
    this.transport = transport;
    this.client = client;
    this.attempt = 0;
    this.nextBefore = 0;
    this.#first = false;
    this.#change('connected');
  }

  #lost(reason) {
    this.reason = reason;
    if (this.#first) return this.#change('connecting');
    this.drops += 1;
    this.#wait();
  }

  #failed(error) {
    this.reason = error?.message ?? '';
    if (this.state === 'connected' || this.state === 'closed') return;
    this.attempt += 1;
    this.#wait();
  }

  #wait() {
    this.nextBefore = performance.now() + longestDelay(this.attempt);
    this.#change(this.#socket.cutUntil > 0 ? 'cut' : 'waiting');
  }

  #closed(context) {
    this.closing = context;
    this.#change('closed');
  }

  #change(state) {
    this.state = state;
    this.dispatchEvent(new Event('change'));
  }
}

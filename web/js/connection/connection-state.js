/** The state of the connection, derived from the SDK's events. */

import { stateOf } from './connection-texts.js';
import { OffsetCheck } from './offset-check.js';
import { RecoveredMessages } from './recovered-messages.js';
import { longestDelay } from '../sign-in/session.js';
import { TRANSPORTS } from '../transport/transports.js';

/** The disconnect code of a node that shuts down (docs/codes.md). */
const SHUTDOWN = 3001;

/**
 * Events: `change`; `recovered` when all subscriptions are back after a lost connection.
 * `nextBefore` is the latest start of the next attempt (`performance.now()`), 0 if unknown.
 */
export class ConnectionState extends EventTarget {
  /** The transport of the connection, as the SDK calls it; empty before the first one. */
  transport = '';
  client = '';
  nextBefore = 0;
  drops = 0;
  /** Code and reason of the disconnect; null while the SDK tries again. */
  closing = null;
  recovered = new RecoveredMessages();
  offsets = new OffsetCheck();
  #client;
  #link;
  #subs = new Set();
  #attempt = 0;
  /** Transports that failed before the first connection. The SDK tries the next one at once. */
  #failedTransports = new Set();
  #wasConnected = false;
  #isRetrying = false;
  #isShutdown = false;
  #isRecovering = false;
  #awaitsRecovery = false;
  #willReport = false;

  constructor(client, link) {
    super();
    this.#client = client;
    this.#link = link;
    client.on('connected', (context) => this.#connected(context));
    client.on('connecting', (context) => this.#lost(context));
    client.on('error', ({ transport }) => this.#failed(transport));
    client.on('disconnected', (context) => this.#closed(context));
    client.on('subscribed', (context) => this.#subscribed(context, context.wasRecovering));
    client.on('publication', (publication) => this.#record(publication));
    link.addEventListener('cut', () => this.#change());
    link.addEventListener('restored', () => this.#restored());
    link.addEventListener('network', () => this.#change());
  }

  /** One of the states of `stateOf`. */
  get state() {
    return stateOf({
      isClosed: this.closing !== null,
      isConnected: this.#client.state === 'connected',
      isCut: this.#link.cutUntil > 0,
      isRetrying: this.#isRetrying,
      isOnline: this.#link.isOnline,
      wasConnected: this.#wasConnected,
      isShutdown: this.#isShutdown,
    });
  }

  /** Records the publications of a subscription. Its first read of the history does not count as recovery. */
  watch = (sub) => {
    let isBack = false;
    this.#subs.add(sub);
    sub.on('subscribed', (context) => {
      this.#subscribed(context, isBack && context.wasRecovering);
      isBack = true;
    });
    sub.on('publication', (publication) => this.#record(publication));
    sub.on('unsubscribed', ({ channel }) => {
      this.offsets.forget(channel);
      this.#subs.delete(sub);
      this.#checkRecovered();
    });
  };

  /**
   * A subscription is active. The SDK delivers recovered publications right after this event,
   * in the same turn. So all publications until the end of the turn were recovered.
   */
  #subscribed(context, isRecovery) {
    this.offsets.subscribed(context.channel, context);
    this.#isRecovering ||= isRecovery && context.hasRecoveredPublications;
    queueMicrotask(() => {
      this.#isRecovering = false;
      this.#checkRecovered();
    });
  }

  #record({ channel, offset, data }) {
    const { missing, duplicates } = this.offsets;
    this.offsets.publication(channel, offset);
    if (this.#isRecovering) this.recovered.add(data);
    if (this.#isRecovering || missing !== this.offsets.missing || duplicates !== this.offsets.duplicates) this.#change();
  }

  #checkRecovered() {
    const isBack = this.#client.state === 'connected' && [...this.#subs].every(({ state }) => state !== 'subscribing');
    if (!this.#awaitsRecovery || !isBack) return;
    this.#awaitsRecovery = false;
    this.dispatchEvent(new Event('recovered'));
  }

  #connected({ transport, client }) {
    this.transport = transport;
    this.client = client;
    this.#attempt = 0;
    this.nextBefore = 0;
    this.#awaitsRecovery = this.drops > 0;
    this.#wasConnected = true;
    this.#isRetrying = false;
    this.#isShutdown = false;
    this.recovered.begin();
    this.#change();
    queueMicrotask(() => this.#checkRecovered());
  }

  #lost({ code }) {
    if (!this.#wasConnected) return this.#change();
    this.drops += 1;
    this.#isShutdown = code === SHUTDOWN;
    this.#wait();
  }

  #failed(transport) {
    if (this.#client.state !== 'connecting') return;
    if (this.#triesAnother(transport)) return this.#change();
    this.#attempt += 1;
    this.#wait();
  }

  /** Whether the SDK tries another transport at once: until one was open, and each has its turn once. */
  #triesAnother(transport) {
    if (this.#wasConnected || this.#failedTransports.has(transport)) return false;
    this.#failedTransports.add(transport);
    return this.#failedTransports.size < TRANSPORTS.length;
  }

  #wait() {
    this.#isRetrying = true;
    this.nextBefore = performance.now() + longestDelay(this.#attempt);
    this.#change();
  }

  /** The cut is over, and the SDK tries again at once. */
  #restored() {
    this.#isRetrying = false;
    this.#change();
  }

  #closed(context) {
    this.closing = context;
    this.#change();
  }

  /** Reports the changes of a turn once: after a final refusal the SDK reports an error first, and then in the same turn that it gives up. */
  #change() {
    if (this.#willReport) return;
    this.#willReport = true;
    queueMicrotask(() => {
      this.#willReport = false;
      this.dispatchEvent(new Event('change'));
    });
  }
}

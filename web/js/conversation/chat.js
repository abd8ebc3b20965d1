/** The conversation in one channel: incoming entries and outgoing lines. */

import { HistoryReader } from './history-reader.js';
import { Outgoing } from '../outgoing/outgoing.js';
import { Streams } from './streams.js';
import { Timeline } from './timeline.js';
import { throttledTyping } from './typing.js';
import { errorText, isOutcomeUnknown } from '../page/error-texts.js';

const END_STATES = { done: 'done', stopped: 'stopped', aborted: 'aborted', failed: 'failed' };
/** Number of newest entries in which running answers are looked for. */
const FOLLOWED = 60;
/** Above `MOST` entries the oldest are forgotten, `LESS` at once. The history still has them. */
const MOST = 3_000;
const LESS = 500;

/**
 * Events, each with a `detail`: `change` (the entry that changed; none after larger changes), `received` (a new or complete live
 * entry), `typing` (a name), `waiting` (a new line waits for the connection), `refused` (the reason, which the entry shows too),
 * `problem` (a sentence to show), `loaded` (after a read of the history).
 */
export class Chat extends EventTarget {
  #client;
  #user;
  #sub;
  #timeline;
  #streams;
  #outgoing;
  #reader;
  #epoch = '';
  #loaded = false;
  /** Counts connects and disconnects, so that a slow read does not open a connection that has ended. */
  #connects = 0;
  /** Tells the others that this user is typing. It limits its own rate. */
  typing;

  /** `watch` is called with every subscription of this conversation. `outbox` keeps outgoing lines; `arrived` came with a moved tab. */
  constructor(client, user, channel, watch, outbox, arrived) {
    super();
    this.#client = client;
    this.#user = user;
    this.#timeline = new Timeline(user);
    this.#streams = new Streams(client, (...change) => this.#streamChanged(...change), watch);
    this.#sub = client.newSubscription(channel, { joinLeave: true });
    watch(this.#sub);
    this.#reader = new HistoryReader(this.#sub, this.#timeline);
    const send = ({ id, text }) => client.rpc('chatbot.say', { channel, id, text });
    this.#outgoing = new Outgoing(this.#timeline, outbox, send, (...event) => this.#emit(...event));
    this.#outgoing.restore(arrived);
    this.typing = throttledTyping(() => client.rpc('chatbot.typing', { channel }));
    this.#sub.on('subscribed', (context) => this.#subscribed(context));
    this.#sub.on('subscribing', () => this.#disconnected());
    this.#sub.on('publication', (publication) => this.#publication(publication));
    this.#sub.on('error', ({ error }) => this.#emit('problem', errorText(error)));
    this.#sub.on('unsubscribed', ({ code, reason }) => this.#unsubscribed(code, reason));
  }

  get subscription() {
    return this.#sub;
  }

  get hasOlder() {
    return this.#reader.hasOlder;
  }

  /** The entries in their order, as `SortedEntries`. */
  get list() {
    return this.#timeline.entries;
  }

  /** Lines that are not known to be in the channel. */
  get unsent() {
    return this.#outgoing.lines();
  }

  entries() {
    return this.#timeline.list();
  }

  open() {
    this.#sub.subscribe();
  }

  /** Sends a line. The list shows the result. Returns null if too many lines wait, otherwise a promise of the end of the attempt. */
  say(text) {
    return this.#outgoing.say(text);
  }

  retry(draft) {
    return this.#outgoing.retry(draft);
  }

  discard(draft) {
    this.#outgoing.discard(draft);
  }

  /** Stops an answer. Its end comes over its stream. Returns whether the call succeeded. */
  async stop(entry) {
    try {
      await this.#client.rpc('chatbot.stop', { channel: this.#sub.channel, stream: entry.id });
      return true;
    } catch (error) {
      this.#emit('problem', `The answer was not stopped. ${errorText(error)}`);
      return false;
    }
  }

  /** Reads a page of history before the oldest entry. Returns the number of new entries. */
  async loadOlder() {
    try {
      return await this.#reader.readOlder();
    } catch (error) {
      this.#emit('problem', errorText(error));
      return 0;
    } finally {
      this.#emit('change');
      this.#emit('loaded');
    }
  }

  #subscribed(context) {
    const isLost = context.wasRecovering && !context.recovered;
    const epoch = context.streamPosition?.epoch ?? '';
    if (epoch !== this.#epoch) this.#enterEpoch(epoch);
    const seen = this.#timeline.newestOffset;
    if (isLost) this.#emit('problem', 'Some messages may be missing: the server has not kept all messages since the connection broke.');
    // First the page reads what it missed: a line that it sent may be there.
    const connects = ++this.#connects;
    const read = !this.#loaded || isLost ? this.#loadLatest(seen) : Promise.resolve();
    read.then(() => connects === this.#connects && this.#outgoing.open());
  }

  #disconnected() {
    this.#connects += 1;
    this.#outgoing.close();
  }

  #unsubscribed(code, reason) {
    this.#disconnected();
    if (code !== 0) this.#emit('problem', `You were removed from this conversation: ${reason}.`);
  }

  #enterEpoch(epoch) {
    this.#epoch = epoch;
    this.#timeline.enterEpoch(epoch);
    this.#emit('change');
  }

  async #loadLatest(seen) {
    try {
      await this.#reader.readLatest(seen);
      this.#loaded = true;
    } catch (error) {
      // After a broken connection the next subscribe asks again.
      if (!isOutcomeUnknown(error)) this.#emit('problem', errorText(error));
    }
    this.#outgoing.save();
    for (const entry of this.#timeline.entries.slice(-FOLLOWED)) this.#follow(entry);
    this.#emit('change');
    this.#emit('loaded');
  }

  #publication(publication) {
    if (publication.data?.kind === 'typing') {
      this.#emit('typing', String(publication.data.from ?? ''));
      return;
    }
    const entry = this.#timeline.apply(publication, Date.now());
    if (!entry) return;
    if (entry.from === this.#user) this.#outgoing.save();
    if (this.#timeline.entries.length > MOST) this.#timeline.forgetOldest(LESS);
    this.#follow(entry);
    this.#emit('received', entry);
    this.#emit('change', entry);
  }

  #follow(entry) {
    if (entry.kind === 'message') this.#streams.unfollow(entry.id);
    else if (entry.state === 'streaming') this.#streams.follow(entry.id, entry.channel);
  }

  #streamChanged(id, stream, timedOut) {
    const entry = this.#timeline.get(id);
    if (!entry || entry.kind === 'message') return;
    entry.text = stream.text;
    entry.parts = stream.parts;
    entry.hasGap = stream.hasGap;
    entry.by = stream.by;
    entry.state = stream.ended === null ? (timedOut ? 'gone' : 'streaming') : END_STATES[stream.ended] ?? 'failed';
    this.#emit('change', entry);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

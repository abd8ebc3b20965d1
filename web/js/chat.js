/** The conversation in one channel: incoming entries and outgoing messages. */

import { Streams } from './streams.js';
import { Timeline } from './timeline.js';
import { throttledTyping } from './typing.js';
import { errorText, isOutcomeUnknown } from './error-texts.js';

const PAGE = 60;
/** Limit of pages to read after a failed recovery. */
const CATCH_UP_PAGES = 20;
const END_STATES = { done: 'done', aborted: 'aborted', failed: 'failed' };

/** A unique id of 128 random bits. A message that is sent again with its id is stored once. */
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Events, each with a `detail`: `change` (none), `grow` (the entry whose text grew),
 * `received` (a new live entry), `typing` (a name), `refused` (the reason, which the entry in the
 * list shows too), `problem` (a sentence to show), `loaded` (whether older entries exist).
 */
export class Chat extends EventTarget {
  #client;
  #sub;
  #timeline;
  #streams;
  #epoch = '';
  #loaded = false;
  #hasOlder = false;
  /** The lowest offset of the last page read; 0 if there is nothing below it. */
  #lowest = 0;
  /** Tells the others that this user is typing. It limits its own rate. */
  typing;

  /** `watch` is called with every subscription of this conversation. */
  constructor(client, user, channel, watch) {
    super();
    this.#client = client;
    this.#timeline = new Timeline(user);
    this.#streams = new Streams(client, (...change) => this.#streamChanged(...change), watch);
    this.#sub = client.newSubscription(channel, { joinLeave: true });
    watch(this.#sub);
    this.typing = throttledTyping(() => client.rpc('chatbot.typing', { channel }));
    this.#sub.on('subscribed', (context) => this.#subscribed(context));
    this.#sub.on('publication', (publication) => this.#publication(publication));
    this.#sub.on('error', ({ error }) => this.#emit('problem', errorText(error)));
    this.#sub.on('unsubscribed', ({ code, reason }) => code !== 0 && this.#emit('problem', `You were removed from this conversation: ${reason}.`));
  }

  get subscription() {
    return this.#sub;
  }

  entries() {
    return this.#timeline.list();
  }

  open() {
    this.#sub.subscribe();
  }

  /** Sends a message. The list shows the result. */
  say(text) {
    const draft = this.#timeline.draft(newId(), text);
    this.#emit('change');
    return this.#deliver(draft);
  }

  retry(draft) {
    draft.state = 'sending';
    draft.note = '';
    this.#emit('change');
    return this.#deliver(draft);
  }

  discard(draft) {
    this.#timeline.discard(draft);
    this.#emit('change');
  }

  /** Reads the page of history before the oldest entry shown. */
  async loadOlder() {
    try {
      const since = { offset: this.#timeline.oldestOffset, epoch: this.#epoch };
      await this.#load({ limit: PAGE, reverse: true, since });
    } catch (error) {
      this.#emit('problem', errorText(error));
    }
  }

  async #deliver(draft) {
    try {
      await this.#client.rpc('chatbot.say', { channel: this.#sub.channel, id: draft.id, text: draft.text });
    } catch (error) {
      const outcomeUnknown = isOutcomeUnknown(error);
      const text = outcomeUnknown ? `${errorText(error)} Your message may have arrived.` : errorText(error);
      if (this.#timeline.fail(draft, text, outcomeUnknown)) this.#emit('refused', text);
    }
    this.#emit('change');
  }

  #subscribed(context) {
    const isLost = context.wasRecovering && !context.recovered;
    const epoch = context.streamPosition?.epoch ?? '';
    if (epoch !== this.#epoch) this.#enterEpoch(epoch);
    const seen = this.#timeline.newestOffset;
    if (isLost) this.#emit('problem', 'Some messages may be missing: the server has not kept all messages since the connection broke.');
    if (!this.#loaded || isLost) this.#loadLatest(seen);
  }

  #enterEpoch(epoch) {
    this.#epoch = epoch;
    this.#timeline.enterEpoch(epoch);
    this.#emit('change');
  }

  /** Reads the newest page, then older ones down to the newest entry that this page already has. */
  async #loadLatest(seen) {
    try {
      await this.#load({ limit: PAGE, reverse: true });
      for (let page = 1; page < CATCH_UP_PAGES && seen > 0 && this.#lowest > seen + 1; page += 1) {
        await this.#load({ limit: PAGE, reverse: true, since: { offset: this.#lowest, epoch: this.#epoch } });
      }
      this.#loaded = true;
    } catch (error) {
      // After a broken connection the next subscribe asks again.
      if (!isOutcomeUnknown(error)) this.#emit('problem', errorText(error));
      this.#emit('loaded', this.#hasOlder);
    }
  }

  async #load(options) {
    const { publications } = await this.#sub.history(options);
    for (const publication of publications) this.#timeline.apply(publication);
    // A page may have fewer entries than requested, because the server also limits its bytes.
    this.#lowest = publications.at(-1)?.offset ?? 0;
    this.#hasOlder = publications.length > 0 && this.#timeline.oldestOffset > 1;
    for (const entry of this.#timeline.list().slice(-PAGE)) this.#follow(entry);
    this.#emit('loaded', this.#hasOlder);
    this.#emit('change');
  }

  #publication(publication) {
    if (publication.data?.kind === 'typing') {
      this.#emit('typing', String(publication.data.from ?? ''));
      return;
    }
    const entry = this.#timeline.apply(publication, Date.now());
    if (!entry) return;
    this.#follow(entry);
    this.#emit('received', entry);
    this.#emit('change');
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
    entry.state = stream.ended === null ? (timedOut ? 'gone' : 'streaming') : END_STATES[stream.ended] ?? 'failed';
    this.#emit(entry.state === 'streaming' ? 'grow' : 'change', entry);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

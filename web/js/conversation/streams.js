/** Answers that the bot is writing: each has its own channel of parts, read from the start. */

/** A stream without a part for this time counts as dead. Before that, within 10 s, the bot's other instances end a dead stream. */
const SILENCE_TIMEOUT = 20_000;

/** The text of a stream. Each part counts once, even if it arrives again. */
export class StreamText {
  text = '';
  parts = 0;
  ended = null;
  /** Who stopped it; empty if nobody did. */
  by = '';
  /** Whether a part is missing, because the channel did not keep it. */
  hasGap = false;
  #last = null;

  /** Adds the data of a publication. Returns whether anything changed. */
  accept(data) {
    if (data?.kind === 'end') return this.#end(String(data.reason ?? 'done'), String(data.by ?? ''));
    if (data?.kind !== 'part' || !Number.isInteger(data.seq) || this.ended !== null) return false;
    if (this.#last !== null && data.seq <= this.#last) return false;
    if (this.#last !== null && data.seq !== this.#last + 1) this.hasGap = true;
    this.#last = data.seq;
    this.parts += 1;
    this.text += String(data.text ?? '');
    return true;
  }

  #end(reason, by) {
    if (this.ended !== null) return false;
    this.ended = reason;
    this.by = by;
    return true;
  }
}

/** Follows the running streams of a conversation. */
export class Streams {
  #client;
  #onChange;
  #watch;
  #followed = new Map();

  /** Calls `onChange(id, StreamText, timedOut)` after every change, and `watch(sub)` for every subscription. */
  constructor(client, onChange, watch) {
    this.#client = client;
    this.#onChange = onChange;
    this.#watch = watch;
  }

  follow(id, channel) {
    if (this.#followed.has(id) || !channel) return;
    const sub = this.#client.newSubscription(channel, { since: { offset: 0, epoch: '' } });
    const stream = { sub, text: new StreamText(), timer: 0 };
    this.#followed.set(id, stream);
    this.#watch(sub);
    sub.on('subscribed', () => this.#restartTimer(id, stream));
    sub.on('publication', ({ data }) => this.#accept(id, stream, data));
    sub.on('unsubscribed', ({ code }) => code !== 0 && this.#timeOut(id, stream));
    sub.subscribe();
  }

  /** Stops following a stream whose complete message has arrived. */
  unfollow(id) {
    const stream = this.#followed.get(id);
    if (!stream) return;
    this.#followed.delete(id);
    clearTimeout(stream.timer);
    stream.sub.unsubscribe();
    this.#client.removeSubscription(stream.sub);
  }

  #accept(id, stream, data) {
    if (!stream.text.accept(data)) return;
    this.#restartTimer(id, stream);
    this.#onChange(id, stream.text, false);
    if (stream.text.ended !== null) this.unfollow(id);
  }

  #restartTimer(id, stream) {
    clearTimeout(stream.timer);
    stream.timer = setTimeout(() => this.#timeOut(id, stream), SILENCE_TIMEOUT);
  }

  #timeOut(id, stream) {
    if (this.#followed.get(id) !== stream) return;
    if (this.#client.state === 'connected') this.#onChange(id, stream.text, true);
    else this.#restartTimer(id, stream);
  }
}

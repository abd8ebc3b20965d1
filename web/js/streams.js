/** A bot's answer as it is written: parts in a channel of their own, read from its start. */

/** Longer than the gateway takes to end the stream of a producer that died (10 s). */
const SILENCE = 20_000;

/** The text made of parts. Each part counts once, whatever comes again. */
export class StreamText {
  text = '';
  parts = 0;
  ended = null;
  /** Whether a part is missing: the channel no longer held it. */
  hasGap = false;
  #last = null;

  /** Takes a publication's data. Answers whether anything changed. */
  accept(data) {
    if (data?.kind === 'end') return this.#end(String(data.reason ?? 'done'));
    if (data?.kind !== 'part' || !Number.isInteger(data.seq) || this.ended !== null) return false;
    if (this.#last !== null && data.seq <= this.#last) return false;
    if (this.#last !== null && data.seq !== this.#last + 1) this.hasGap = true;
    this.#last = data.seq;
    this.parts += 1;
    this.text += String(data.text ?? '');
    return true;
  }

  #end(reason) {
    if (this.ended !== null) return false;
    this.ended = reason;
    return true;
  }
}

/** Follows the streams of a conversation while they run. */
export class Streams {
  #client;
  #onChange;
  #watch;
  #followed = new Map();

  /** `onChange(id, StreamText, isSilent)` after every change; `watch(sub)` sees every subscription made. */
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
    sub.on('subscribed', () => this.#wait(id, stream));
    sub.on('publication', ({ data }) => this.#take(id, stream, data));
    sub.on('unsubscribed', ({ code }) => code !== 0 && this.#silent(id, stream));
    sub.subscribe();
  }

  /** The finished message is there: nothing more to follow. */
  leave(id) {
    const stream = this.#followed.get(id);
    if (!stream) return;
    this.#followed.delete(id);
    clearTimeout(stream.timer);
    stream.sub.unsubscribe();
    this.#client.removeSubscription(stream.sub);
  }

  #take(id, stream, data) {
    if (!stream.text.accept(data)) return;
    this.#wait(id, stream);
    this.#onChange(id, stream.text, false);
    if (stream.text.ended !== null) this.leave(id);
  }

  #wait(id, stream) {
    clearTimeout(stream.timer);
    stream.timer = setTimeout(() => this.#silent(id, stream), SILENCE);
  }

  #silent(id, stream) {
    if (this.#followed.get(id) !== stream) return;
    if (this.#client.state === 'connected') this.#onChange(id, stream.text, true);
    else this.#wait(id, stream);
  }
}

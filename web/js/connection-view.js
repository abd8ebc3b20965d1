/** The connection panel and the state shown in the header. */

import { alarm, tell } from './announce.js';
import { byId, count, h, show, write } from './dom.js';
import { milliseconds, Plot } from './plot.js';
import { closedInWords } from './words.js';

const SAMPLE_EVERY = 2_000;
/** Right after connecting the page is busy, which would falsify the sample. */
const FIRST_SAMPLE_AFTER = 600;
const CUT_FOR = 5_000;
const LOG_LINES = 6;

const SHORT = { connected: 'Connected', connecting: 'Connecting', waiting: 'Reconnecting', cut: 'Connection cut', closed: 'Disconnected' };
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const seconds = (until) => Math.max(0, (until - performance.now()) / 1000).toFixed(1);

/** Bytes in the unit that fits. */
export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1_000_000 ? `${(number / 1000).toFixed(1)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}

export class ConnectionView {
  #client;
  #line;
  #link;
  #channel;
  #plot = new Plot(byId('rtt-plot'));
  #shown = '';
  #trafficDue = false;
  #recoveredBefore = 0;

  constructor(client, line, link, channel) {
    this.#client = client;
    this.#line = line;
    this.#link = link;
    this.#channel = channel;
    link.addEventListener('change', () => this.#render());
    line.addEventListener('node', () => this.#render());
    line.addEventListener('traffic', () => this.#trafficSoon());
    byId('cut').addEventListener('click', () => this.#cut());
    byId('again').addEventListener('click', () => location.reload());
    for (const button of document.querySelectorAll('[data-do="try-now"]')) button.addEventListener('click', () => line.tryNow());
    setInterval(() => this.#sample(), SAMPLE_EVERY);
    setInterval(() => this.#tick(), 100);
    this.#render();
  }

  #cut() {
    this.#line.cut(CUT_FOR);
    this.#note(`Connection cut for ${CUT_FOR / 1000} s`);
  }

  async #sample() {
    if (document.hidden || this.#link.state !== 'connected') {
      if (!document.hidden) this.#plot.push(null);
      return;
    }
    const start = performance.now();
    try {
      await this.#client.presenceStats(this.#channel);
      const took = performance.now() - start;
      this.#plot.push(took);
      write(byId('rtt'), milliseconds(took));
      write(byId('rtt-median'), milliseconds(this.#plot.median));
    } catch {
      this.#plot.push(null);
    }
  }

  #render() {
    const { state } = this.#link;
    document.body.dataset.link = state;
    write(byId('pill-words'), SHORT[state]);
    write(byId('node'), this.#line.node || '–');
    write(byId('transport'), this.#link.transport || '–');
    write(byId('client-id'), this.#link.client || '–');
    write(byId('recovered'), this.#link.recovered.toLocaleString('en'));
    write(byId('missing'), this.#link.ledger.missing.toLocaleString('en'));
    write(byId('doubled'), this.#link.ledger.doubled.toLocaleString('en'));
    byId('cut').disabled = state !== 'connected' || this.#line.cutUntil > 0;
    show(byId('banner'), state !== 'connected' && !(state === 'connecting' && this.#shown === ''));
    this.#tick();
    this.#traffic();
    if (state !== this.#shown) this.#moved(this.#shown, state);
  }

  #moved(before, state) {
    this.#shown = state;
    if (state === 'connected') return this.#arrived(before);
    if (state === 'closed') {
      const words = closedInWords(this.#link.closing);
      this.#note(words);
      alarm(words);
    } else if (before === 'connected') {
      this.#recoveredBefore = this.#link.recovered;
      if (this.#line.cutUntil === 0) this.#note('Connection lost');
      alarm('The connection is lost. Trying again.');
    }
  }

  /** The SDK delivers recovered messages shortly after the connect reply. */
  #arrived(before) {
    const isBack = before !== '' && this.#link.drops > 0;
    setTimeout(() => this.#sample(), FIRST_SAMPLE_AFTER);
    this.#note(`${isBack ? 'Back on' : 'Connected to'} ${this.#line.node || 'the gateway'}`);
    if (!isBack) return;
    setTimeout(() => {
      const missed = this.#link.recovered - this.#recoveredBefore;
      const words = `${count(missed, 'message')} recovered`;
      this.#note(words);
      tell(`Connected again. ${words}.`);
    }, 400);
  }

  #tick() {
    const { state } = this.#link;
    write(byId('state-words'), this.#stateWords(state));
    if (state !== 'connected') write(byId('banner-words'), this.#bannerWords(state));
    for (const button of document.querySelectorAll('[data-do="try-now"]')) show(button, state === 'waiting');
    show(byId('again'), state === 'closed');
  }

  #stateWords(state) {
    if (state === 'waiting') return `Next try within ${seconds(this.#link.nextBefore)} s`;
    if (state === 'cut') return `Cut, back in ${seconds(this.#line.cutUntil)} s`;
    return { connected: 'Connected', connecting: 'Connecting…', closed: 'Disconnected' }[state];
  }

  #bannerWords(state) {
    if (state === 'closed') return closedInWords(this.#link.closing);
    if (state === 'cut') return `You cut the connection. It is back in ${seconds(this.#line.cutUntil)} s, and no message will be missing.`;
    if (state === 'waiting') return `The connection is lost. Next try within ${seconds(this.#link.nextBefore)} s.`;
    return 'Connecting…';
  }

  #trafficSoon() {
    if (this.#trafficDue) return;
    this.#trafficDue = true;
    setTimeout(() => this.#traffic(), 150);
  }

  #traffic() {
    this.#trafficDue = false;
    const line = this.#line;
    write(byId('frames-in'), line.framesIn.toLocaleString('en'));
    write(byId('frames-out'), line.framesOut.toLocaleString('en'));
    write(byId('bytes-in'), bytes(line.bytesIn));
    write(byId('bytes-out'), bytes(line.bytesOut));
  }

  #note(words) {
    const now = new Date();
    const log = byId('line-log');
    log.prepend(h('li', {}, h('time', { class: 'faint tabular', datetime: now.toISOString() }, clock.format(now)), h('span', {}, words)));
    while (log.children.length > LOG_LINES) log.lastElementChild.remove();
  }
}

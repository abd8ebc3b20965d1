/** The connection panel and the state shown in the header. */

import { announce, announceUrgent } from './announce.js';
import { byId, count, h, show, write } from './dom.js';
import { milliseconds, Plot } from './plot.js';
import { disconnectText } from './error-texts.js';

const SAMPLE_INTERVAL = 2_000;
/** Right after connecting the page is busy, so a round trip would take too long. */
const FIRST_SAMPLE_AFTER = 600;
const CUT_MS = 5_000;
const LOG_LINES = 6;

const STATE_NAMES = { connected: 'Connected', connecting: 'Connecting', waiting: 'Reconnecting', cut: 'Connection cut', closed: 'Disconnected' };
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const seconds = (until) => Math.max(0, (until - performance.now()) / 1000).toFixed(1);

/** Bytes in the unit that fits. */
export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1_000_000 ? `${(number / 1000).toFixed(1)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}

export class ConnectionView {
  #client;
  #socket;
  #connection;
  #channel;
  #plot = new Plot(byId('rtt-plot'));
  #shown = '';
  #trafficScheduled = false;
  #recoveredBefore = 0;

  constructor(client, socket, connection, channel) {
    this.#client = client;
    this.#socket = socket;
    this.#connection = connection;
    this.#channel = channel;
    connection.addEventListener('change', () => this.#render());
    socket.addEventListener('node', () => this.#render());
    socket.addEventListener('traffic', () => this.#scheduleTraffic());
    byId('cut').addEventListener('click', () => this.#cut());
    byId('again').addEventListener('click', () => location.reload());
    for (const button of document.querySelectorAll('[data-do="try-now"]')) button.addEventListener('click', () => socket.tryNow());
    setInterval(() => this.#sample(), SAMPLE_INTERVAL);
    setInterval(() => this.#tick(), 100);
    this.#render();
  }

  #cut() {
    this.#socket.cut(CUT_MS);
    this.#log(`Connection cut for ${CUT_MS / 1000} s`);
  }

  async #sample() {
    if (document.hidden || this.#connection.state !== 'connected') {
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
    const { state } = this.#connection;
    document.body.dataset.connection = state;
    write(byId('pill-text'), STATE_NAMES[state]);
    write(byId('node'), this.#socket.node || '–');
    write(byId('transport'), this.#connection.transport || '–');
    write(byId('client-id'), this.#connection.client || '–');
    write(byId('recovered'), this.#connection.recovered.toLocaleString('en'));
    write(byId('missing'), this.#connection.offsets.missing.toLocaleString('en'));
    write(byId('duplicates'), this.#connection.offsets.duplicates.toLocaleString('en'));
    byId('cut').disabled = state !== 'connected' || this.#socket.cutUntil > 0;
    show(byId('banner'), state !== 'connected' && !(state === 'connecting' && this.#shown === ''));
    this.#tick();
    this.#showTraffic();
    if (state !== this.#shown) this.#stateChanged(this.#shown, state);
  }

  #stateChanged(before, state) {
    this.#shown = state;
    if (state === 'connected') return this.#connected(before);
    if (state === 'closed') {
      const text = disconnectText(this.#connection.closing);
      this.#log(text);
      announceUrgent(text);
    } else if (before === 'connected') {
      this.#recoveredBefore = this.#connection.recovered;
      if (this.#socket.cutUntil === 0) this.#log('Connection lost');
      announceUrgent('The connection is lost. Trying again.');
    }
  }

  /** The SDK delivers recovered messages shortly after the connect reply. */
  #connected(before) {
    const isBack = before !== '' && this.#connection.drops > 0;
    setTimeout(() => this.#sample(), FIRST_SAMPLE_AFTER);
    this.#log(`${isBack ? 'Back on' : 'Connected to'} ${this.#socket.node || 'the gateway'}`);
    if (!isBack) return;
    setTimeout(() => {
      const missed = this.#connection.recovered - this.#recoveredBefore;
      const text = `${count(missed, 'message')} recovered`;
      this.#log(text);
      announce(`Connected again. ${text}.`);
    }, 400);
  }

  #tick() {
    const { state } = this.#connection;
    write(byId('state-text'), this.#stateText(state));
    if (state !== 'connected') write(byId('banner-text'), this.#bannerText(state));
    for (const button of document.querySelectorAll('[data-do="try-now"]')) show(button, state === 'waiting');
    show(byId('again'), state === 'closed');
  }

  #stateText(state) {
    if (state === 'waiting') return `Next try within ${seconds(this.#connection.nextBefore)} s`;
    if (state === 'cut') return `Cut, back in ${seconds(this.#socket.cutUntil)} s`;
    return { connected: 'Connected', connecting: 'Connecting…', closed: 'Disconnected' }[state];
  }

  #bannerText(state) {
    if (state === 'closed') return disconnectText(this.#connection.closing);
    if (state === 'cut') return `You cut the connection. It is back in ${seconds(this.#socket.cutUntil)} s, and no message will be missing.`;
    if (state === 'waiting') return `The connection is lost. Next try within ${seconds(this.#connection.nextBefore)} s.`;
    return 'Connecting…';
  }

  #scheduleTraffic() {
    if (this.#trafficScheduled) return;
    this.#trafficScheduled = true;
    setTimeout(() => this.#showTraffic(), 150);
  }

  #showTraffic() {
    this.#trafficScheduled = false;
    const socket = this.#socket;
    write(byId('frames-in'), socket.framesIn.toLocaleString('en'));
    write(byId('frames-out'), socket.framesOut.toLocaleString('en'));
    write(byId('bytes-in'), bytes(socket.bytesIn));
    write(byId('bytes-out'), bytes(socket.bytesOut));
  }

  #log(text) {
    const now = new Date();
    const log = byId('connection-log');
    log.prepend(h('li', {}, h('time', { class: 'faint tabular', datetime: now.toISOString() }, clock.format(now)), h('span', {}, text)));
    while (log.children.length > LOG_LINES) log.lastElementChild.remove();
  }
}

/** The connection panel and the state shown in the header. */

import { announce, announceUrgent } from '../page/announce.js';
import { CAN_TRY_NOW, connectionTexts } from './connection-texts.js';
import { byId, count, focusNext, h, isAvailable, setAvailable, show, write } from '../page/dom.js';
import { milliseconds, Plot } from './plot.js';
import { titleOf } from '../transport/transports.js';

const SAMPLE_INTERVAL = 2_000;
/** Right after connecting the page is busy, so a round trip would take too long. */
const FIRST_SAMPLE_AFTER = 600;
const CUT_MS = 5_000;
const LOG_LINES = 6;

const tryNowButtons = () => document.querySelectorAll('[data-do="try-now"]');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const seconds = (until) => Math.max(0, (until - performance.now()) / 1000).toFixed(1);

/** Bytes in the unit that fits. */
export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1_000_000 ? `${(number / 1000).toFixed(1)} kB` : `${(number / 1_000_000).toFixed(1)} MB`;
}

export class ConnectionView {
  #client;
  #link;
  #connection;
  #channel;
  #plot = new Plot(byId('rtt-plot'));
  #shown = '';
  #announced = '';
  #trafficScheduled = false;

  constructor(client, link, connection, channel) {
    this.#client = client;
    this.#link = link;
    this.#connection = connection;
    this.#channel = channel;
    connection.addEventListener('change', () => this.#render());
    connection.addEventListener('recovered', () => this.#recovered());
    link.addEventListener('node', () => this.#render());
    link.addEventListener('traffic', () => this.#scheduleTraffic());
    byId('cut').addEventListener('click', () => this.#cut());
    byId('again').addEventListener('click', () => location.reload());
    for (const button of tryNowButtons()) button.addEventListener('click', () => link.tryNow());
    setInterval(() => this.#sample(), SAMPLE_INTERVAL);
    setInterval(() => this.#showTexts(), 100);
    this.#render();
  }

  #cut() {
    if (!isAvailable(byId('cut'))) return;
    this.#link.cut(CUT_MS);
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
    write(byId('node'), this.#link.node || '–');
    write(byId('client-id'), this.#connection.client || '–');
    write(byId('recovered'), this.#connection.recovered.total.toLocaleString('en'));
    write(byId('missing'), this.#connection.offsets.missing.toLocaleString('en'));
    write(byId('duplicates'), this.#connection.offsets.duplicates.toLocaleString('en'));
    this.#showActions(state);
    this.#showTexts();
    this.#showTraffic();
    if (state !== this.#shown) this.#stateChanged(state);
  }

  /** Shows the buttons of this state. A button that goes hands the focus on. */
  #showActions(state) {
    setAvailable(byId('cut'), state === 'connected' && this.#link.cutUntil === 0);
    for (const button of tryNowButtons()) {
      const next = byId('side').contains(button) ? byId('cut') : byId('message-field');
      if (!CAN_TRY_NOW.has(state)) focusNext(button, next);
      show(button, CAN_TRY_NOW.has(state));
    }
    show(byId('again'), state === 'closed');
  }

  #texts() {
    const { nextBefore, closing, state } = this.#connection;
    return connectionTexts(state, { nextIn: seconds(nextBefore), backIn: seconds(this.#link.cutUntil), closing: closing ?? {} });
  }

  #showTexts() {
    const { pill, panel, banner } = this.#texts();
    write(byId('pill-text'), pill);
    write(byId('state-text'), panel);
    show(byId('banner'), banner !== '');
    if (banner !== '') write(byId('banner-text'), banner);
  }

  #stateChanged(state) {
    this.#shown = state;
    if (state === 'connected') return this.#connected();
    const { announcement } = this.#texts();
    if (announcement === '' || announcement === this.#announced) return;
    this.#announced = announcement;
    announceUrgent(announcement);
    if (state !== 'cut') this.#log(announcement);
  }

  #connected() {
    this.#announced = '';
    const isBack = this.#connection.drops > 0;
    this.#log(`${isBack ? 'Connected again to' : 'Connected to'} ${this.#link.node || 'the gateway'} over ${titleOf(this.#connection.transport)}`);
    setTimeout(() => this.#sample(), FIRST_SAMPLE_AFTER);
  }

  #recovered() {
    const text = `${count(this.#connection.recovered.latest, 'message')} recovered`;
    this.#log(text);
    announce(`Connected again. ${text}.`);
  }

  #scheduleTraffic() {
    if (this.#trafficScheduled) return;
    this.#trafficScheduled = true;
    setTimeout(() => this.#showTraffic(), 150);
  }

  #showTraffic() {
    this.#trafficScheduled = false;
    const link = this.#link;
    write(byId('frames-in'), link.framesIn.toLocaleString('en'));
    write(byId('frames-out'), link.framesOut.toLocaleString('en'));
    write(byId('bytes-in'), bytes(link.bytesIn));
    write(byId('bytes-out'), bytes(link.bytesOut));
  }

  #log(text) {
    const now = new Date();
    const log = byId('connection-log');
    log.prepend(h('li', {}, h('time', { class: 'faint tabular', datetime: now.toISOString() }, clock.format(now)), h('span', {}, text)));
    while (log.children.length > LOG_LINES) log.lastElementChild.remove();
  }
}

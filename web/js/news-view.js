/** The news in the side panel, and a toast for each new headline. */

import { ageElement } from './ages.js';
import { announce } from './announce.js';
import { clamped } from './clamped.js';
import { byId, h, show } from './dom.js';
import { spoken } from './notice.js';
import { Rows } from './rows.js';
import { toast } from './toasts.js';

export class NewsView {
  #news;
  #rows = new Rows(byId('news'), byId('news-title'), headlineRow);

  constructor(news) {
    this.#news = news;
    news.addEventListener('change', () => this.#render());
    news.addEventListener('arrived', ({ detail }) => this.#arrived(detail));
  }

  /** A newer headline replaces the toast of the one before. */
  #arrived({ headline, at }) {
    const notice = { key: 'news', level: 'news', title: headline, at };
    toast(notice);
    announce(spoken(notice));
  }

  #render() {
    const items = this.#news.list();
    show(byId('news-card'), this.#news.isAvailable);
    show(byId('news-empty'), items.length === 0);
    this.#rows.show(items.map((item) => [item.key, item]));
  }
}

function headlineRow({ headline, at }) {
  return h('li', { class: 'headline' },
    at && h('p', { class: 'faint small' }, ageElement(at)),
    clamped([h('p', { class: 'headline-text', dir: 'auto' }, headline)], headline));
}

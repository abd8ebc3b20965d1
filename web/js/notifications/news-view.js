/** The news in the side panel, and a toast for each new headline. */

import { ageElement } from '../notices/ages.js';
import { announce } from '../page/announce.js';
import { clamped } from '../notices/clamped.js';
import { byId, h, show } from '../page/dom.js';
import { spoken } from '../notices/notice.js';
import { Rows } from '../page/rows.js';
import { toast } from '../notices/toasts.js';

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

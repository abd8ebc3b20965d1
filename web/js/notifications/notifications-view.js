/** The notifications button (a bell) in the header, and the list under it. */

import { announce, announceUrgent } from '../page/announce.js';
import { updateAges } from '../notices/ages.js';
import { byId, count, show, write } from '../page/dom.js';
import { wireExample } from './example-view.js';
import { spoken } from '../notices/notice.js';
import { noticeRow, refreshRow } from './notice-row.js';
import { Rows } from '../page/rows.js';
import { inboxOpened, MAX_TOASTS, toast, wireToasts } from '../notices/toasts.js';

export class NotificationsView {
  #notifications;
  #button = byId('bell');
  #panel = byId('inbox');
  #rows = new Rows(byId('inbox-list'), byId('inbox-title'), (item) => this.#row(item));

  constructor(notifications, user) {
    this.#notifications = notifications;
    notifications.addEventListener('change', () => this.#render());
    notifications.addEventListener('arrived', ({ detail }) => this.#arrived(detail));
    this.#button.addEventListener('click', () => this.#toggle(this.#panel.hidden));
    byId('mark-read').addEventListener('click', () => this.#markAllRead());
    this.#wireClosing();
    wireExample(user);
    wireToasts(() => this.#toggle(true));
    this.#render();
  }

  #wireClosing() {
    byId('inbox-close').addEventListener('click', () => this.#toggle(false));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !this.#panel.hidden) this.#toggle(false);
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (!this.#panel.hidden && !this.#panel.contains(target) && !this.#button.contains(target)) this.#toggle(false, { keepFocus: false });
    });
  }

  #toggle(open, { keepFocus = true } = {}) {
    show(this.#panel, open);
    this.#button.setAttribute('aria-expanded', String(open));
    if (open) byId('inbox-title').focus();
    else if (keepFocus) this.#button.focus();
    inboxOpened(open);
    updateAges();
  }

  #arrived({ items: all, isLive }) {
    const items = all.filter((item) => !item.read);
    if (items.length > (isLive ? MAX_TOASTS : 1)) {
      const title = `${count(items.length, 'notification')} while you were away`;
      toast({ key: 'away', title, body: 'Open Notifications to read them.', level: 'info' });
      announce(`${title}. Open Notifications to read them.`);
      return;
    }
    for (const item of items) {
      const markRead = () => this.#notifications.markRead(item.id);
      if (this.#panel.hidden) toast(item, { onClose: markRead, onOpen: markRead });
      const announceItem = item.level === 'error' ? announceUrgent : announce;
      announceItem(spoken(item));
    }
  }

  #render() {
    const { inbox } = this.#notifications;
    const items = inbox.list();
    const { unread } = inbox;
    write(byId('unread'), unread > 99 ? '99+' : String(unread));
    show(byId('unread'), unread > 0);
    this.#button.setAttribute('aria-label', unread > 0 ? `Notifications, ${unread} unread` : 'Notifications');
    document.title = unread > 0 ? `(${unread}) Switchboard` : 'Switchboard';
    byId('mark-read').disabled = unread === 0;
    show(byId('inbox-empty'), items.length === 0);
    show(byId('inbox-removed'), inbox.removed > 0);
    write(byId('inbox-removed'), inbox.removed === 1 ? '1 older notification is not kept.' : `${count(inbox.removed, 'older notification')} are not kept.`);
    const rows = this.#rows.show(items.map((item) => [item.id, item]));
    rows.forEach((row, index) => refreshRow(row, items[index]));
  }

  #row(item) {
    return noticeRow(item, { onRead: () => this.#markRead(item), onOpen: () => this.#notifications.markRead(item.id) });
  }

  /** Marks an item as read. The pressed button disappears, so the next one gets the focus. */
  #markRead(item) {
    const button = (row) => row?.querySelector('[data-do="mark-read"]');
    const row = this.#rows.get(item.id);
    let next = row.nextElementSibling;
    while (next && !button(next)) next = next.nextElementSibling;
    this.#notifications.markRead(item.id);
    (button(next) ?? byId('inbox-title')).focus();
  }

  /** The pressed button is disabled now, so the title gets the focus. */
  #markAllRead() {
    this.#notifications.markAllRead();
    byId('inbox-title').focus();
  }
}

/** The notifications button (a bell) in the header, and the list under it. */

import { announce, announceUrgent } from './announce.js';
import { byId, count, h, icon, show, write } from './dom.js';
import { clearToasts, LEVEL_ICONS, linkOf, toast } from './toasts.js';
import { commandFor } from './example-command.js';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "now", "3 minutes ago", "yesterday". */
export function ago(at, now = Date.now()) {
  const minutes = Math.round((at - now) / 60_000);
  if (Math.abs(minutes) < 1) return 'now';
  if (Math.abs(minutes) < 60) return relative.format(minutes, 'minute');
  if (Math.abs(minutes) < 60 * 24) return relative.format(Math.round(minutes / 60), 'hour');
  return relative.format(Math.round(minutes / 60 / 24), 'day');
}

export class NotificationsView {
  #notifications;
  #button = byId('bell');
  #panel = byId('inbox');

  constructor(notifications, user) {
    this.#notifications = notifications;
    notifications.addEventListener('change', () => this.#render());
    notifications.addEventListener('arrived', ({ detail }) => this.#arrived(detail));
    this.#button.addEventListener('click', () => this.#toggle(this.#panel.hidden));
    byId('mark-read').addEventListener('click', () => notifications.markAllRead());
    this.#wireClosing();
    this.#wireExample(user);
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

  #wireExample(user) {
    const example = commandFor(user);
    write(byId('example'), example);
    byId('copy').addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(example);
        write(byId('copy-text'), 'Copied');
        announce('Copied');
      } catch {
        getSelection().selectAllChildren(byId('example'));
        write(byId('copy-text'), 'Selected: copy it');
      }
    });
  }

  #toggle(open, { keepFocus = true } = {}) {
    show(this.#panel, open);
    this.#button.setAttribute('aria-expanded', String(open));
    if (open) {
      clearToasts();
      this.#render();
      byId('inbox-title').focus();
    } else if (keepFocus) this.#button.focus();
  }

  #arrived({ items: all, isLive }) {
    const items = all.filter((item) => !item.read);
    if (!isLive && items.length > 1) {
      toast({ title: `${count(items.length, 'notification')} while you were away`, body: 'Open the bell to read them.', level: 'info' });
      announce(`${count(items.length, 'notification')} while you were away`);
      return;
    }
    for (const item of items) {
      if (this.#panel.hidden) toast(item, () => this.#notifications.markRead(item.id));
      const announceItem = item.level === 'error' ? announceUrgent : announce;
      announceItem(`Notification: ${item.title}. ${item.body}`);
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
    byId('inbox-list').replaceChildren(...items.map((item) => this.#row(item)));
  }

  #row(item) {
    const readButton = !item.read && h('button', { type: 'button', class: 'icon-button small', 'aria-label': `Mark as read: ${item.title}`, onclick: () => this.#markRead(item) }, icon('check'));
    return h('li', { class: `notice level-${item.level}${item.read ? '' : ' unread'}`, 'data-id': item.id },
      h('span', { class: 'level-mark' }, icon(LEVEL_ICONS[item.level])),
      h('div', { class: 'notice-main' },
        h('p', { class: 'notice-title' }, item.title, !item.read && h('span', { class: 'sr-only' }, ' (unread)')),
        item.body && h('p', { class: 'notice-body' }, item.body),
        h('p', { class: 'notice-foot faint' }, h('time', { datetime: new Date(item.at).toISOString() }, ago(item.at)), linkOf(item))),
      readButton);
  }

  /** Marks an item as read. The pressed button disappears, so the title gets the focus. */
  #markRead(item) {
    this.#notifications.markRead(item.id);
    byId('inbox-title').focus();
  }
}

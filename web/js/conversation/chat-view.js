/** The conversation on the page. */

import { announce, announceUrgent } from '../page/announce.js';
import { Composer } from '../outgoing/composer.js';
import { onNewDay } from './days.js';
import { avatar, byId, count, h, icon, show, write } from '../page/dom.js';
import { EntryList } from './entry-list.js';
import { noteParts, WAITING } from './entry-view.js';
import { EntryWindow } from './entry-window.js';
import { Folding } from './folding.js';
import { oncePerFrame } from '../page/frame.js';
import { lineAnnouncer } from './line-announcer.js';
import { ScrollPosition } from './scroll-position.js';
import { toast } from '../notices/toasts.js';
import { TypingUsers, typingParts } from './typing.js';

/** Number of entries that "Show earlier messages" adds. */
const PAGE = 60;
/** Within this distance in pixels from the last entry on the page the next ones appear. */
const NEAR_LAST = 600;

export class ChatView {
  #chat;
  #me;
  #scroller = byId('scroller');
  #entries;
  #window = new EntryWindow();
  #folding = new Folding();
  #position = new ScrollPosition(byId('scroller'), byId('messages'));
  #composer;
  #render = oncePerFrame(() => this.#renderNow());
  #announceLine = lineAnnouncer(announce);
  #typingUsers = new TypingUsers((names) => this.#showTyping(names));
  #unseen = 0;
  /** Entries that count as new already: an answer is received when it begins and when it is complete. */
  #counted = new WeakSet();
  #isLoadingOlder = false;

  /** `draft` keeps the text of the field. */
  constructor(chat, me, draft) {
    this.#chat = chat;
    this.#me = me;
    this.#entries = new EntryList(byId('messages'), me, (element) => element.contains(document.activeElement) && this.#composer.focus());
    this.#composer = new Composer(chat, draft, () => this.#toEnd());
    chat.addEventListener('change', ({ detail }) => this.#changed(detail));
    chat.addEventListener('received', ({ detail }) => this.#received(detail));
    chat.addEventListener('typing', ({ detail }) => detail !== me && this.#typingUsers.started(detail));
    chat.addEventListener('waiting', () => announce(WAITING));
    chat.addEventListener('refused', ({ detail }) => announceUrgent(detail));
    chat.addEventListener('problem', ({ detail }) => this.#showProblem(detail));
    chat.addEventListener('loaded', () => this.#loaded());
    byId('messages').addEventListener('click', ({ target }) => this.#clicked(target.closest('[data-do]')));
    byId('older').addEventListener('click', () => this.#showOlder());
    byId('to-end').addEventListener('click', () => {
      this.#toEnd();
      this.#composer.focus();
    });
    onNewDay(() => this.#entries.renewDays(Date.now()));
    this.#followSize();
    this.#render();
  }

  #followSize() {
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    let width = 0;
    new ResizeObserver(() => {
      if (this.#scroller.clientWidth !== width) this.#folding.fold(this.#entries.elements);
      width = this.#scroller.clientWidth;
      this.#position.restore();
    }).observe(this.#scroller);
  }

  #changed(entry) {
    this.#entries.changed(entry);
    this.#render();
  }

  #renderNow() {
    const { list } = this.#chat;
    this.#window.update(list, this.#position.atEnd);
    const { written, isComplete } = this.#entries.show(list.slice(this.#window.start, this.#window.end), Date.now());
    for (const element of written) if (element.dataset.state === 'streaming') this.#folding.keepOpen(element);
    this.#folding.fold(written);
    this.#showEdges(list);
    this.#position.restore();
    if (!isComplete) this.#render();
    else if (!this.#position.atEnd) this.#position.scrolled(this.#window.hasLater);
  }

  #showEdges(list) {
    const isLoaded = !byId('messages').hasAttribute('aria-busy');
    const hasEarlier = this.#window.start > 0 || this.#chat.hasOlder;
    if (!hasEarlier && document.activeElement === byId('older')) this.#scroller.focus({ preventScroll: true });
    show(byId('older'), hasEarlier);
    show(byId('empty'), isLoaded && list.length === 0);
  }

  #loaded() {
    document.getElementById('skeleton')?.remove();
    byId('messages').removeAttribute('aria-busy');
    this.#render();
  }

  async #showOlder() {
    if (this.#isLoadingOlder) return;
    this.#isLoadingOlder = true;
    this.#position.leaveEnd();
    const before = this.#window.start;
    const added = before < PAGE ? await this.#chat.loadOlder() : 0;
    this.#window.update(this.#chat.list, this.#position.atEnd);
    const shown = before + added - Math.max(0, this.#window.start - PAGE);
    this.#window.earlier(this.#chat.list, PAGE);
    if (shown > 0) announce(count(shown, 'earlier message'));
    this.#isLoadingOlder = false;
    this.#render();
  }

  #clicked(button) {
    const element = button?.closest('li');
    const entry = element && this.#entries.entryOf(element);
    if (!entry) return;
    const actions = { retry: () => this.#chat.retry(entry), discard: () => this.#chat.discard(entry), stop: () => this.#stop(entry), fold: () => this.#fold(element) };
    actions[button.dataset.do]();
    if (['retry', 'discard'].includes(button.dataset.do)) this.#composer.focus();
  }

  #fold(element) {
    const isOpen = this.#folding.toggle(element);
    if (!isOpen && element.getBoundingClientRect().top < this.#scroller.getBoundingClientRect().top) element.scrollIntoView();
    this.#position.scrolled(this.#window.hasLater);
  }

  /** The button goes away. On a touch screen the focus must not open the keyboard over the conversation. */
  async #stop(entry) {
    if (matchMedia('(pointer: coarse)').matches) this.#scroller.focus({ preventScroll: true });
    else this.#composer.focus();
    this.#setStopping(entry, true);
    if (!await this.#chat.stop(entry)) this.#setStopping(entry, false);
  }

  #setStopping(entry, isStopping) {
    entry.isStopping = isStopping;
    this.#changed(entry);
  }

  #received(entry) {
    this.#typingUsers.stopped(entry.from);
    if (entry.from === this.#me) return;
    if (!this.#position.atEnd && !this.#counted.has(entry)) this.#showUnseen(this.#unseen + 1);
    this.#counted.add(entry);
    if (entry.state === 'streaming') return;
    this.#announceLine(entry.state === 'stopped' ? noteParts(entry, this.#me).join('') : `${entry.from}: ${entry.text}`);
  }

  #showProblem(text) {
    announceUrgent(text);
    toast({ title: 'The conversation has a problem', body: text, level: 'error' });
  }

  #showTyping(names) {
    const parts = typingParts(names);
    byId('typing-text').replaceChildren(...parts.map((part, i) => (i % 2 === 0 ? h('bdi', {}, part) : part)));
    byId('typing').classList.toggle('on', names.length > 0);
  }

  #scrolled() {
    this.#position.scrolled(this.#window.hasLater);
    if (this.#position.atEnd) this.#showUnseen(0);
    if (!this.#window.hasLater || this.#position.distanceToEnd > NEAR_LAST) return;
    this.#window.later(this.#chat.list, PAGE);
    this.#render();
  }

  #toEnd() {
    this.#position.atEnd = true;
    this.#showUnseen(0);
    this.#render();
  }

  #showUnseen(number) {
    this.#unseen = number;
    show(byId('to-end'), number > 0);
    write(byId('to-end-text'), count(number, 'new message'));
  }
}

/** The list of people beside the conversation. The bot has no connection, but is listed too. */
export function showPeople(users, me) {
  const row = ({ name, connections }) => h('li', { class: 'person', 'data-user': name },
    avatar(name),
    h('span', { class: 'person-name' }, h('bdi', {}, name || 'a guest'), name === me && h('span', { class: 'faint' }, ' (you)')),
    connections > 1 && h('span', { class: 'faint tabular' }, `${connections} tabs`));
  const bot = h('li', { class: 'person', 'data-service': 'chatbot' },
    avatar('bot', { bot: true }),
    h('span', { class: 'person-name' }, 'bot'),
    h('span', { class: 'tag' }, icon('plug'), 'service'));
  byId('people').replaceChildren(...users.map(row), bot);
  write(byId('people-count'), users.length === 1 ? '1 person here' : `${users.length} people here`);
}

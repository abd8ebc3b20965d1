/** The conversation on the page. */

import { announce, announceUrgent } from './announce.js';
import { avatar, byId, count, h, icon, show, write } from './dom.js';
import { entryElement, refreshEntry } from './entry-view.js';
import { toast } from './toasts.js';
import { TypingUsers, typingText } from './typing.js';

/** Within this distance in pixels the end counts as visible. */
const NEAR_END = 80;

export class ChatView {
  #chat;
  #me;
  #list = byId('messages');
  #scroller = byId('scroller');
  #field = byId('message-field');
  #elements = new Map();
  #typingUsers = new TypingUsers((names) => this.#showTyping(names));
  #unseen = 0;
  /** Whether the end of the list is visible. If so, it stays visible when the list grows. */
  #followsEnd = true;

  constructor(chat, me) {
    this.#chat = chat;
    this.#me = me;
    chat.addEventListener('change', () => this.#render());
    chat.addEventListener('grow', ({ detail }) => this.#grow(detail));
    chat.addEventListener('received', ({ detail }) => this.#received(detail));
    chat.addEventListener('typing', ({ detail }) => detail !== me && this.#typingUsers.started(detail));
    chat.addEventListener('refused', ({ detail }) => announceUrgent(detail));
    chat.addEventListener('problem', ({ detail }) => this.#showProblem(detail));
    chat.addEventListener('loaded', ({ detail }) => this.#loaded(detail));
    this.#wireComposer();
    this.#wireScrolling();
  }

  #wireComposer() {
    const form = byId('composer');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener('input', () => {
      this.#resizeField();
      if (this.#field.value.trim() !== '') this.#chat.typing();
    });
    for (const chip of document.querySelectorAll('[data-say]')) {
      chip.addEventListener('click', () => this.#say(chip.dataset.say));
    }
    this.#resizeField();
  }

  #wireScrolling() {
    byId('older').addEventListener('click', () => this.#showOlder());
    byId('to-end').addEventListener('click', () => {
      this.#toEnd();
      this.#field.focus();
    });
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#followsEnd && this.#toEnd()).observe(this.#scroller);
  }

  #send() {
    const text = this.#field.value.trim();
    if (text === '') return;
    this.#field.value = '';
    this.#field.focus();
    this.#resizeField();
    this.#say(text);
  }

  #say(text) {
    this.#chat.say(text);
    this.#toEnd();
  }

  /** The field grows with its text. The button is disabled if there is nothing to send. */
  #resizeField() {
    this.#field.style.height = 'auto';
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    byId('send').disabled = this.#field.value.trim() === '';
  }

  async #showOlder() {
    this.#followsEnd = false;
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    await this.#chat.loadOlder();
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
  }

  #loaded(hasOlder) {
    byId('skeleton')?.remove();
    this.#list.removeAttribute('aria-busy');
    show(byId('older'), hasOlder);
    this.#render();
  }

  #render() {
    const entries = this.#chat.entries();
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, element] of this.#elements) if (!keys.has(key)) this.#remove(key, element);
    let previous = null;
    entries.forEach((entry, index) => {
      const element = this.#place(entry, index);
      element.classList.toggle('follows', previous?.from === entry.from);
      previous = entry;
    });
    show(byId('empty'), entries.length === 0 && !document.getElementById('skeleton'));
    if (this.#followsEnd) this.#toEnd();
  }

  #place(entry, index) {
    let element = this.#elements.get(entry.key);
    if (!element) {
      element = entryElement(entry, { isMine: entry.from === this.#me, onRetry: () => this.#chat.retry(entry), onDiscard: () => this.#discard(entry) });
      this.#elements.set(entry.key, element);
    }
    refreshEntry(element, entry);
    if (this.#list.children[index] !== element) this.#list.insertBefore(element, this.#list.children[index] ?? null);
    return element;
  }

  #discard(entry) {
    this.#chat.discard(entry);
    this.#field.focus();
  }

  #remove(key, element) {
    if (element.contains(document.activeElement)) this.#field.focus();
    element.remove();
    this.#elements.delete(key);
  }

  #grow(entry) {
    const element = this.#elements.get(entry.key);
    if (element) refreshEntry(element, entry);
    if (this.#followsEnd) this.#toEnd();
  }

  #received(entry) {
    this.#typingUsers.stopped(entry.from);
    if (entry.from === this.#me) return;
    if (!this.#followsEnd) this.#showUnseen(this.#unseen + 1);
    if (entry.state !== 'streaming') announce(`${entry.from}: ${entry.text}`);
  }

  #showProblem(text) {
    announceUrgent(text);
    toast({ title: 'The conversation has a problem', body: text, level: 'error' });
  }

  #showTyping(names) {
    write(byId('typing-text'), typingText(names));
    byId('typing').classList.toggle('on', names.length > 0);
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#followsEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (this.#followsEnd) this.#showUnseen(0);
  }

  #toEnd() {
    this.#followsEnd = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#showUnseen(0);
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
    h('span', { class: 'person-name' }, name || 'a guest', name === me && h('span', { class: 'faint' }, ' (you)')),
    connections > 1 && h('span', { class: 'faint tabular' }, `${connections} tabs`));
  const bot = h('li', { class: 'person', 'data-service': 'chatbot' },
    avatar('bot', { bot: true }),
    h('span', { class: 'person-name' }, 'bot'),
    h('span', { class: 'tag' }, icon('plug'), 'service'));
  byId('people').replaceChildren(...users.map(row), bot);
  write(byId('people-count'), users.length === 1 ? '1 person here' : `${users.length} people here`);
}

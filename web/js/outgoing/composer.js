/** The field for a new line. */

import { announce, announceUrgent } from '../page/announce.js';
import { byId, show, write } from '../page/dom.js';
import { LINE_LIMIT, limitText, lineProblem } from '../page/limit.js';
import { MAX_LINES } from './outbox.js';

const FULL = `${MAX_LINES} messages wait to be sent. Send or discard some of them first.`;

/** Whether the browser lets the field grow with its text, without a layout for every key. */
const growsByItself = globalThis.CSS?.supports('field-sizing', 'content') ?? false;

export class Composer {
  #chat;
  #draft;
  #onSaid;
  #field = byId('message-field');

  /** `draft` keeps the text that is not sent yet. `onSaid` is called after a line was sent. */
  constructor(chat, draft, onSaid) {
    this.#chat = chat;
    this.#draft = draft;
    this.#onSaid = onSaid;
    this.#field.value = draft.read();
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#field.addEventListener('input', () => {
      this.#changed();
      if (this.#field.value.trim() !== '') chat.typing();
    });
    for (const chip of document.querySelectorAll('[data-say]')) chip.addEventListener('click', () => this.#say(chip.dataset.say));
    this.#changed();
  }

  focus() {
    this.#field.focus();
  }

  #send() {
    const text = this.#field.value.trim();
    this.focus();
    if (text === '') return;
    const problem = lineProblem(text);
    if (problem !== '') {
      this.#showProblem(problem);
    } else if (this.#say(text)) {
      this.#field.value = '';
      this.#changed();
    }
  }

  /** Returns false if the line was not accepted. */
  #say(text) {
    if (this.#chat.say(text) === null) {
      this.#showProblem(FULL);
      return false;
    }
    this.#onSaid();
    return true;
  }

  #changed() {
    const { value } = this.#field;
    this.#draft.write(value);
    this.#grow();
    byId('send').disabled = value.trim() === '';
    show(byId('message-problem'), false);
    this.#showLength(value.trim());
  }

  /** Shows how much is left or too much. It is announced when the limit is passed. */
  #showLength(text) {
    const isOver = lineProblem(text) !== '';
    const composer = byId('composer');
    if (isOver && !composer.classList.contains('over')) announce(`A message has at most ${LINE_LIMIT.toLocaleString('en')} characters.`);
    composer.classList.toggle('over', isOver);
    this.#field.setAttribute('aria-invalid', String(isOver));
    write(byId('message-count'), limitText(text, LINE_LIMIT));
    show(byId('message-count'), byId('message-count').textContent !== '');
  }

  #grow() {
    if (growsByItself) return;
    this.#field.style.height = 'auto';
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #showProblem(text) {
    write(byId('message-problem'), text);
    show(byId('message-problem'), true);
    announceUrgent(text);
  }
}

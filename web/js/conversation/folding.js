/** Folds long entries to a number of lines, which the style sheet sets, with a button that shows the rest. */

import { h, show, write } from '../page/dom.js';

/** An entry with fewer characters and lines has less than 12 lines at every width. */
const SHORT_TEXT = 180;
const SHORT_LINES = 12;

const textOf = (element) => element.querySelector('.entry-text');
const mayBeLong = (text) => text.length >= SHORT_TEXT || text.split('\n', SHORT_LINES + 1).length > SHORT_LINES;

function addButton(element) {
  const button = h('button', { type: 'button', class: 'link', 'data-do': 'fold' });
  element.querySelector('.bubble').after(button);
  return button;
}

export class Folding {
  /** Entries that somebody has unfolded, or that were read while they grew. */
  #unfolded = new WeakSet();

  /** Leaves an entry open, because somebody reads it while it grows. */
  keepOpen(element) {
    this.#unfolded.add(element);
  }

  /** Folds those entries that are too long. Writes first and reads then, so that the page is laid out once. */
  fold(elements) {
    const long = elements.filter((element) => element.dataset.state !== 'streaming' && mayBeLong(textOf(element).textContent));
    for (const element of long) element.classList.add('folded');
    const isCut = long.map((element) => textOf(element).scrollHeight > textOf(element).clientHeight + 2);
    long.forEach((element, i) => this.#show(element, isCut[i]));
  }

  /** Folds or unfolds an entry. Returns whether it is open now. */
  toggle(element) {
    const isOpen = !this.#unfolded.has(element);
    if (isOpen) this.#unfolded.add(element);
    else this.#unfolded.delete(element);
    this.#show(element, true);
    return isOpen;
  }

  #show(element, isLong) {
    const isOpen = this.#unfolded.has(element);
    element.classList.toggle('folded', isLong && !isOpen);
    const button = element.querySelector('[data-do="fold"]') ?? (isLong && addButton(element));
    if (!button) return;
    show(button, isLong);
    write(button, isOpen ? 'Show less' : 'Show more');
  }
}

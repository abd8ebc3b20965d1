/** Long texts: cut to a few lines, with a button that shows the whole text. The button is there only where text is cut. */

import { h, show, write } from '../page/dom.js';
import { excerpt } from '../page/excerpt.js';

const observer = new ResizeObserver((changes) => {
  for (const group of new Set(changes.map(({ target }) => target.parentElement))) if (group) refresh(group);
});

/** Groups paragraphs that one button shows in full. `name` says in words whose text it is. */
export function clamped(paragraphs, name) {
  const texts = paragraphs.filter(Boolean);
  const button = h('button', { type: 'button', class: 'link', 'data-do': 'show-more', 'aria-expanded': 'false', onclick: () => toggle(group), hidden: true },
    h('span', {}, 'Show more'), h('span', { class: 'sr-only' }, `: ${excerpt(name, 80)}`));
  const group = h('div', { class: 'clamped' }, ...texts, button);
  for (const text of texts) observer.observe(text);
  return group;
}

const isOpen = (group) => group.classList.contains('open');

function toggle(group) {
  const open = group.classList.toggle('open');
  const button = group.querySelector('button');
  button.setAttribute('aria-expanded', String(open));
  write(button.firstElementChild, open ? 'Show less' : 'Show more');
}

function refresh(group) {
  const isCut = [...group.querySelectorAll('p')].some((text) => text.scrollHeight > text.clientHeight + 1);
  show(group.querySelector('button'), isCut || isOpen(group));
}

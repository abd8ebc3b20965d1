/** What toasts and the rows of the inbox have in common. */

import { ageElement } from './ages.js';
import { h, icon } from '../page/dom.js';
import { excerpt } from '../page/excerpt.js';
import { safeLink } from '../page/links.js';
import { LEVELS } from './levels.js';

/** The sentence that announces a notice: its level, its title, the start of its body. */
export function spoken({ level, title, body }) {
  return `${LEVELS[level].word}: ${excerpt(body ? `${title}. ${body}` : title)}`;
}

/** The icon of a level. */
export function levelMark(level) {
  return h('span', { class: 'level-mark' }, icon(LEVELS[level].icon));
}

/** The line above a title: the level in words, and the age if the time is known. */
export function noticeHead({ level, at }) {
  return h('p', { class: 'notice-head faint' }, h('span', { class: 'level-word' }, LEVELS[level].word), at && ageElement(at));
}

/** The link of a notice, or null. Calls `onOpen` when the user follows it. */
export function noticeLink(item, onOpen) {
  const href = safeLink(item.link);
  if (!href) return null;
  return h('a', { class: 'open-link', href, target: '_blank', rel: 'noopener noreferrer', onclick: onOpen, onauxclick: onOpen },
    'Open', icon('out'), h('span', { class: 'sr-only' }, `: ${excerpt(item.title, 80)} (new tab)`));
}

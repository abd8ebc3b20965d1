/** The place of toasts: below the headings and the banner, above the message field, so that they cover no control and not who is typing. */

import { byId } from '../page/dom.js';

const GAP = 8;

function edges() {
  const isChatCovered = byId('scroller').inert;
  const above = isChatCovered ? ['.bar', '.side-head'] : ['.chat-head', '#banner'];
  const bottoms = above.map((part) => document.querySelector(part)?.getBoundingClientRect().bottom ?? 0);
  return { top: Math.max(...bottoms) + GAP, bottom: (isChatCovered ? innerHeight : document.querySelector('.foot').getBoundingClientRect().top) - GAP };
}

/** Keeps the region in its place. Calls `onChange` when its height has changed. */
export function keepInPlace(region, onChange) {
  const place = () => {
    const { top, bottom } = edges();
    region.style.top = `${top}px`;
    region.style.height = `${Math.max(0, bottom - top)}px`;
    onChange();
  };
  const observer = new ResizeObserver(place);
  for (const part of ['.bar', '#banner', '.foot', '#scroller', '#side']) observer.observe(document.querySelector(part));
  addEventListener('resize', place);
}

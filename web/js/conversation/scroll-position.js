/** What a reader sees of a list that grows: its end, or an entry that stays where it is. */

/** Within this distance in pixels the end counts as visible. */
const NEAR_END = 80;

export class ScrollPosition {
  /** Whether the end of the list is visible. If so, it stays visible when the list grows. */
  atEnd = true;
  #scroller;
  #list;
  #anchor = null;
  #top = 0;

  constructor(scroller, list) {
    this.#scroller = scroller;
    this.#list = list;
  }

  /** The distance of what is visible from the end, in pixels. */
  get distanceToEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  /** The reader scrolled. `hasLater`: the list goes on after its last element. */
  scrolled(hasLater) {
    this.atEnd = !hasLater && this.distanceToEnd < NEAR_END;
    this.hold();
  }

  /** Keeps the first visible entry where it is. */
  leaveEnd() {
    this.atEnd = false;
    this.hold();
  }

  /** Remembers where the first visible entry is. */
  hold() {
    const { top } = this.#scroller.getBoundingClientRect();
    this.#anchor = this.#firstVisible(top);
    this.#top = this.#anchor ? this.#anchor.getBoundingClientRect().top - top : 0;
  }

  /** After a change: scrolls to the end, or so that the remembered entry is where it was. */
  restore() {
    if (this.atEnd) {
      this.#scroller.scrollTop = this.#scroller.scrollHeight;
      return;
    }
    if (!this.#anchor?.isConnected) return;
    const moved = this.#anchor.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top - this.#top;
    if (Math.abs(moved) >= 1) this.#scroller.scrollTop += moved;
  }

  #firstVisible(top) {
    const entries = this.#list.children;
    if (entries.length === 0) return null;
    let [low, high] = [0, entries.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    return entries[low];
  }
}

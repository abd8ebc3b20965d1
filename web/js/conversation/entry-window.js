/**
 * The part of the conversation that is on the page. Older entries leave the page while new ones come, and come back on request.
 * It keeps its place when entries appear before, in or after it.
 */

/** Number of newest entries on the page while its end is visible. */
export const FOLLOWED = 300;
/** Entries leave in groups of this size, so that not every new one moves the page. */
const GROUP = 50;
/** Largest number of entries on the page. Only somebody who reads earlier entries has so many. */
export const MOST = 600;

export class EntryWindow {
  /** Place of the first entry; null: the first of the list. */
  #first = null;
  /** Place of the last entry; null: the last of the list, whatever comes. */
  #last = null;
  start = 0;
  end = 0;

  /** Whether the list has entries after those on the page. */
  get hasLater() {
    return this.#last !== null;
  }

  /** Fits to the list, with its end if that is visible. */
  update(list, followsEnd) {
    if (followsEnd) this.#last = null;
    this.start = this.#first === null ? 0 : list.indexOf(this.#first);
    this.end = this.#last === null ? list.length : Math.min(list.length, list.indexOf(this.#last) + 1);
    const most = followsEnd ? FOLLOWED + GROUP : MOST;
    if (this.end - this.start <= most) return;
    if (followsEnd) this.#startAt(list, this.end - FOLLOWED);
    else this.#endAt(list, this.start + MOST);
  }

  /** Shows up to `count` entries before the first one. */
  earlier(list, count) {
    this.#startAt(list, Math.max(0, this.start - count));
    this.#endAt(list, Math.min(this.end, this.start + MOST));
  }

  /** Shows up to `count` entries after the last one. */
  later(list, count) {
    this.#endAt(list, Math.min(list.length, this.end + count));
    this.#startAt(list, Math.max(this.start, this.end - MOST));
  }

  #startAt(list, index) {
    this.start = index;
    this.#first = index === 0 ? null : list.at(index).place;
  }

  #endAt(list, index) {
    this.end = index;
    this.#last = index === list.length ? null : list.at(index - 1).place;
  }
}

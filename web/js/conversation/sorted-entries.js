/**
 * Entries in the order of their places. A place is `[epoch, offset, rank, number]`, compared from left to right; no two entries
 * have the same place.
 */

function compare(a, b) {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

export class SortedEntries {
  #list = [];

  get length() {
    return this.#list.length;
  }

  at(index) {
    return this.#list.at(index);
  }

  slice(start, end) {
    return this.#list.slice(start, end);
  }

  /** The number of entries before this place. */
  indexOf(place) {
    const list = this.#list;
    if (list.length === 0 || compare(list.at(-1).place, place) < 0) return list.length;
    let [low, high] = [0, list.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(list[middle].place, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  insert(entry, place) {
    entry.place = place;
    this.#list.splice(this.indexOf(place), 0, entry);
  }

  remove(entry) {
    const index = this.indexOf(entry.place);
    if (this.#list[index] === entry) this.#list.splice(index, 1);
  }

  move(entry, place) {
    this.remove(entry);
    this.insert(entry, place);
  }
}

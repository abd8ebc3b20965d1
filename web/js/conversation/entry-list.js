/** The elements of the entries on the page. */

import { entryElement, refreshEntry, relateEntry } from './entry-view.js';
import { relations } from './entry-relations.js';

/** Number of entries that are made or written in one frame. The others wait for the next frames. */
export const PER_FRAME = 60;
/** Up to this number of new entries in a frame appear with a movement. */
const MOVED = 3;

export class EntryList {
  #list;
  #me;
  #onRemove;
  /** By key of the entry: its element, the entry, and its relation to the one before it. */
  #records = new Map();
  #byElement = new WeakMap();
  #dirty = new Set();

  /** `onRemove` is called with an element before it leaves the page. */
  constructor(list, me, onRemove) {
    this.#list = list;
    this.#me = me;
    this.#onRemove = onRemove;
  }

  get elements() {
    return [...this.#list.children];
  }

  /** The entry of an element. */
  entryOf(element) {
    return this.#byElement.get(element)?.entry;
  }

  /** The entry has changed; null: every entry may have changed. */
  changed(entry) {
    const keys = entry ? [entry.key] : this.#records.keys();
    for (const key of keys) if (this.#records.has(key)) this.#dirty.add(key);
  }

  /** Shows these entries, the last ones first if they are too many for one frame. Returns the elements that were written and whether all are shown. */
  show(entries, now) {
    const isFirst = this.#records.size === 0;
    this.#removeOthers(new Set(entries.map(({ key }) => key)));
    const related = relations(entries);
    const written = [];
    const fresh = [];
    let next = null;
    let isComplete = true;
    for (let i = entries.length - 1; i >= 0; i -= 1) {
      const entry = entries[i];
      let record = this.#records.get(entry.key);
      const isNew = !record;
      if (written.length >= PER_FRAME && (isNew || this.#dirty.has(entry.key))) {
        isComplete = false;
        if (isNew) continue;
      } else if (isNew || this.#dirty.has(entry.key)) {
        record ??= this.#add(entry);
        record.entry = entry;
        refreshEntry(record.element, entry, this.#me);
        this.#dirty.delete(entry.key);
        written.push(record.element);
        if (isNew) fresh.push(record.element);
      }
      this.#relate(record, related[i], now);
      if (record.element.parentNode !== this.#list || record.element.nextElementSibling !== next) this.#list.insertBefore(record.element, next);
      next = record.element;
    }
    if (!isFirst && fresh.length <= MOVED) for (const element of fresh) element.classList.add('arriving');
    return { written, isComplete };
  }

  /** A new day has begun: "Today" is "Yesterday". */
  renewDays(now) {
    for (const { element, relation } of this.#records.values()) if (relation.day !== null) relateEntry(element, relation, now);
  }

  #add(entry) {
    const record = { element: entryElement(entry, this.#me), entry, relation: null };
    this.#records.set(entry.key, record);
    this.#byElement.set(record.element, record);
    return record;
  }

  #relate(record, relation, now) {
    const known = record.relation;
    if (known && known.follows === relation.follows && known.day === relation.day) return;
    record.relation = relation;
    relateEntry(record.element, relation, now);
  }

  #removeOthers(keys) {
    for (const [key, { element }] of this.#records) {
      if (keys.has(key)) continue;
      this.#onRemove(element);
      element.remove();
      this.#records.delete(key);
      this.#dirty.delete(key);
    }
  }
}

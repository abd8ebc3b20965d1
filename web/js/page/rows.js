/** A list on the page whose rows keep their elements, so that each row keeps its state and the focus. */

export class Rows {
  #list;
  #heading;
  #make;
  #rows = new Map();

  /** `make` makes the element of an item. `heading` gets the focus if the row that has it disappears. */
  constructor(list, heading, make) {
    this.#list = list;
    this.#heading = heading;
    this.#make = make;
  }

  get(key) {
    return this.#rows.get(key);
  }

  /** Shows these items, each with its key, in this order. Returns the elements. */
  show(items) {
    const keys = new Set(items.map(([key]) => key));
    for (const [key, row] of this.#rows) if (!keys.has(key)) this.#remove(key, row);
    return items.map(([key, item], index) => this.#place(key, item, index));
  }

  #place(key, item, index) {
    const row = this.#rows.get(key) ?? this.#make(item);
    this.#rows.set(key, row);
    if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
    return row;
  }

  #remove(key, row) {
    if (row.contains(document.activeElement)) this.#heading.focus();
    row.remove();
    this.#rows.delete(key);
  }
}

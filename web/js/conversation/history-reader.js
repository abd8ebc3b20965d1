/** Reads the history of a channel, newest pages first, into a timeline. */

const PAGE = 60;
/** Limit of pages that one call reads. */
const MAX_PAGES = 20;

export class HistoryReader {
  #sub;
  #timeline;
  /** Whether the history has publications that are older than the list. */
  hasOlder = false;

  constructor(sub, timeline) {
    this.#sub = sub;
    this.#timeline = timeline;
  }

  /** Reads the newest page, then older ones down to the newest entry that the page had before (`seen`; 0: none). */
  async readLatest(seen) {
    let lowest = await this.#readPage(null);
    for (let page = 1; page < MAX_PAGES && seen > 0 && lowest > seen + 1; page += 1) lowest = await this.#readPage(lowest);
    await this.#lookForOlder();
  }

  /** Reads pages before the oldest entry until the list has a new entry. Returns the number of new entries. */
  async readOlder() {
    const before = this.#timeline.entries.length;
    for (let page = 0; page < MAX_PAGES && this.#timeline.entries.length === before; page += 1) {
      if (await this.#readPage(this.#timeline.oldestOffset) === 0) break;
    }
    await this.#lookForOlder();
    return this.#timeline.entries.length - before;
  }

  /** Reads the page below an offset; null: the newest page. Returns its lowest offset; 0 if it is empty. */
  async #readPage(below) {
    const publications = await this.#read(PAGE, below);
    for (const publication of publications) this.#timeline.apply(publication);
    return publications.at(-1)?.offset ?? 0;
  }

  /** The number of entries of a page does not tell whether it is the last one, because the server also limits the bytes of a page. */
  async #lookForOlder() {
    const oldest = this.#timeline.oldestOffset;
    this.hasOlder = oldest > 1 && Number.isFinite(oldest) && (await this.#read(1, oldest)).length > 0;
  }

  async #read(limit, below) {
    const since = below === null || !Number.isFinite(below) ? {} : { since: { offset: below, epoch: this.#timeline.epoch } };
    return (await this.#sub.history({ limit, reverse: true, ...since })).publications;
  }
}

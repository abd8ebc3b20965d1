/** The text in the field that is not sent yet. It survives a reload; another user of the tab does not get it. */

export class DraftStore {
  #key;
  #storage;

  /** `arrived` is the text that came with the tab from another node; null if the tab has not moved. */
  constructor(user, channel, arrived = null, storage = globalThis.sessionStorage) {
    this.#key = `switchboard.draft.${channel}.${user}`;
    this.#storage = storage;
    if (arrived !== null) this.write([this.#get(this.#movedKey) === '' ? this.read() : '', arrived].filter(Boolean).join('\n'));
    this.#set(this.#movedKey, '');
  }

  get #movedKey() {
    return `${this.#key}.moved`;
  }

  read() {
    return this.#get(this.#key);
  }

  write(text) {
    this.#set(this.#key, text);
  }

  /** The tab takes the text to another node. If the tab does not arrive there, the text is still here. */
  markMoved() {
    this.#set(this.#movedKey, 'yes');
  }

  /** Forgets the text, because its user leaves the tab. */
  clear() {
    this.#set(this.#key, '');
    this.#set(this.#movedKey, '');
  }

  #get(key) {
    try {
      return this.#storage.getItem(key) ?? '';
    } catch {
      return '';
    }
  }

  #set(key, text) {
    try {
      if (text === '') this.#storage.removeItem(key);
      else this.#storage.setItem(key, text);
    } catch {
      // Without storage the text is kept as long as the page.
    }
  }
}

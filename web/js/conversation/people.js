/** The people in a channel: presence at first, then joins and leaves. */

export class People {
  #clients = new Map();
  #onChange;
  #loads = 0;
  #leftDuringLoad = new Set();

  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Follows a subscription. */
  attach(sub) {
    sub.on('join', ({ info }) => this.#join(info));
    sub.on('leave', ({ info }) => this.#leave(info));
    sub.on('subscribed', () => this.#load(sub));
  }

  /** Users with the number of their connections, by name. */
  users() {
    const counts = new Map();
    for (const user of this.#clients.values()) counts.set(user, (counts.get(user) ?? 0) + 1);
    return [...counts].map(([name, connections]) => ({ name, connections })).sort((a, b) => a.name.localeCompare(b.name));
  }

  async #load(sub) {
    const load = ++this.#loads;
    this.#leftDuringLoad.clear();
    try {
      const { clients } = await sub.presence();
      if (load !== this.#loads) return;
      for (const id of [...this.#clients.keys()]) if (!(id in clients)) this.#clients.delete(id);
      for (const info of Object.values(clients)) if (!this.#leftDuringLoad.has(info.client)) this.#clients.set(info.client, info.user);
      this.#onChange(this.users());
    } catch {
      // The connection has ended. The next subscribe reads the presence again.
    }
  }

  #join(info) {
    this.#leftDuringLoad.delete(info.client);
    this.#clients.set(info.client, info.user);
    this.#onChange(this.users());
  }

  #leave(info) {
    this.#leftDuringLoad.add(info.client);
    this.#clients.delete(info.client);
    this.#onChange(this.users());
  }
}

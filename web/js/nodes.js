/** The nodes that serve together, as the gateway tells them. */

import { safeLink } from './inbox.js';

/** Events: `change`. */
export class Nodes extends EventTarget {
  /** Each a `name` and a `url`, by name. */
  all = [];

  /** Asks again. Without an answer the last one holds: it leads away from a node that is gone. */
  async refresh() {
    try {
      const response = await fetch('demo/nodes', { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) return;
      const { nodes } = await response.json();
      this.all = nodes.filter(({ url }) => safeLink(url) !== null);
      this.dispatchEvent(new Event('change'));
    } catch {
      // See above.
    }
  }

  /** Those that have an address of their own, beside the one that this tab is on. */
  others(here) {
    const at = this.all.find(({ name }) => name === here)?.url;
    return this.all.filter(({ name, url }) => name !== here && url !== at);
  }
}

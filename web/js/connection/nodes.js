/** The nodes of the cluster, as the gateway lists them. */

import { safeLink } from '../page/links.js';

/** Events: `change`. */
export class Nodes extends EventTarget {
  /** Objects with `name` and `url`, sorted by name. */
  all = [];

  /** Requests the list. Without an answer the last list stays, so that the user can leave a dead node. */
  async refresh() {
    try {
      const response = await fetch('demo/nodes', { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) return;
      const { nodes } = await response.json();
      this.all = nodes.filter(({ url }) => safeLink(url) !== null);
      this.dispatchEvent(new Event('change'));
    } catch {
      // The last list stays.
    }
  }

  /** The nodes with an address different from that of this tab's node. */
  others(here) {
    const at = this.all.find(({ name }) => name === here)?.url;
    return this.all.filter(({ name, url }) => name !== here && url !== at);
  }
}

/** What the page knows about its way to the gateway, whichever transport the SDK uses: traffic, the node, the network, and a cut by the user. */

const encoder = new TextEncoder();

const size = (data) => (typeof data === 'string' ? encoder.encode(data).length : data.byteLength ?? data.size ?? 0);

/** The connect reply in a message of several lines, which names the node; the SDK does not tell it. */
function connectReply(text) {
  for (const line of text.split('\n')) {
    if (!line.includes('"connect"')) continue;
    try {
      const reply = JSON.parse(line);
      if (reply.connect) return reply.connect;
    } catch {
      return null;
    }
  }
  return null;
}

/** The name of a node. Over streams the gateway adds which process it is: `node-1:86147ccaa3eefa8a`. */
const nameOf = (node) => node.split(':', 1)[0];

/** Events: `traffic` after a frame, `node` when the node's name is known, `network` after `isOnline` changed, `cut` and `restored`. */
export class GatewayLink extends EventTarget {
  /** Pass this to the SDK as `networkEventTarget`. The SDK gets an event when the network is back. */
  network = new EventTarget();
  /** Frames of the WebSocket, or lines, events and requests of the other transports. */
  framesIn = 0;
  framesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  node = '';
  /** When the cut ends, in milliseconds of `performance.now()`; 0 if there is no cut. */
  cutUntil = 0;
  /** Whether the browser has a network. Loopback works without one. */
  isOnline = globalThis.navigator?.onLine ?? true;
  #open = new Set();

  constructor() {
    super();
    for (const name of ['online', 'offline']) addEventListener(name, () => this.#networkChanged(name));
  }

  get isCut() {
    return this.cutUntil > 0;
  }

  /** Ends everything that is open. What is opened within this time fails. */
  cut(milliseconds) {
    if (this.isCut) return;
    this.cutUntil = performance.now() + milliseconds;
    for (const end of this.#open) end();
    this.#open.clear();
    this.dispatchEvent(new Event('cut'));
    setTimeout(() => this.#restore(), milliseconds);
  }

  /** Makes the SDK try again now, as if the browser were back online. */
  tryNow() {
    this.network.dispatchEvent(new Event('online'));
  }

  /** Something is open, and a cut calls `end`. Call `received` of the result with each message, and `ended` at the end. */
  opened(end) {
    let hasNode = false;
    this.#open.add(end);
    return {
      received: (data) => {
        this.framesIn += 1;
        this.bytesIn += size(data);
        if (!hasNode && typeof data === 'string') hasNode = this.#readNode(data);
        this.dispatchEvent(new Event('traffic'));
      },
      ended: () => this.#open.delete(end),
    };
  }

  /** Counts a message that the page sends. */
  sent(data) {
    this.framesOut += 1;
    this.bytesOut += size(data);
    this.dispatchEvent(new Event('traffic'));
  }

  #readNode(text) {
    const connect = connectReply(text);
    if (!connect) return false;
    this.node = nameOf(connect.node ?? '');
    this.dispatchEvent(new Event('node'));
    return true;
  }

  #networkChanged(name) {
    this.isOnline = name === 'online';
    this.network.dispatchEvent(new Event(name));
    this.dispatchEvent(new Event('network'));
  }

  #restore() {
    this.cutUntil = 0;
    this.dispatchEvent(new Event('restored'));
    this.tryNow();
  }
}

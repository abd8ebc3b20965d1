/**
 * The WebSocket to the gateway, for the SDK. Counts frames and bytes, reads the node's name from
 * the connect reply (the SDK does not expose it), and can be cut for some seconds.
 */

const encoder = new TextEncoder();

const size = (data) => (typeof data === 'string' ? encoder.encode(data).length : data.byteLength ?? data.size ?? 0);

/** A socket opened during a cut. It fails as if there were no network. */
class FailingSocket {
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;

  constructor() {
    setTimeout(() => {
      this.onerror?.(new Event('error'));
      this.onclose?.({ code: 1006, reason: '', wasClean: false });
    });
  }

  send() {}

  close() {}
}

/** Finds the connect reply in a message of several lines. */
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

/** Events: `traffic` after a frame, `node` when the node's name is known, `network` after `isOnline` changed, `cut` and `restored`. */
export class GatewaySocket extends EventTarget {
  /** Pass this to the SDK as `networkEventTarget`. The SDK gets an event when the network is back. */
  network = new EventTarget();
  framesIn = 0;
  framesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  node = '';
  /** When the cut ends, in milliseconds of `performance.now()`; 0 if there is no cut. */
  cutUntil = 0;
  /** Whether the browser has a network. Loopback works without one. */
  isOnline = globalThis.navigator?.onLine ?? true;
  #sockets = new Set();

  constructor() {
    super();
    for (const name of ['online', 'offline']) addEventListener(name, () => this.#networkChanged(name));
  }

  /** A constructor of sockets. Pass this to the SDK as `websocket`. */
  get constructorForSdk() {
    const gatewaySocket = this;
    return function Socket(url, protocols) {
      return gatewaySocket.cutUntil > 0 ? new FailingSocket() : gatewaySocket.#open(url, protocols);
    };
  }

  /** Closes all sockets. Sockets opened within this time fail. */
  cut(milliseconds) {
    if (this.cutUntil > 0) return;
    this.cutUntil = performance.now() + milliseconds;
    for (const socket of this.#sockets) socket.close();
    this.dispatchEvent(new Event('cut'));
    setTimeout(() => this.#restore(), milliseconds);
  }

  /** Makes the SDK try again now, as if the browser were back online. */
  tryNow() {
    this.network.dispatchEvent(new Event('online'));
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

  #open(url, protocols) {
    const socket = protocols === undefined ? new WebSocket(url) : new WebSocket(url, protocols);
    const send = socket.send.bind(socket);
    let hasNode = false;
    socket.send = (data) => {
      if (socket.readyState !== WebSocket.OPEN) return; // A cut closes it before the SDK knows. The SDK sends what matters again.
      this.framesOut += 1;
      this.bytesOut += size(data);
      this.dispatchEvent(new Event('traffic'));
      send(data);
    };
    socket.addEventListener('message', ({ data }) => {
      this.framesIn += 1;
      this.bytesIn += size(data);
      if (!hasNode && typeof data === 'string') hasNode = this.#readNode(data);
      this.dispatchEvent(new Event('traffic'));
    });
    socket.addEventListener('close', () => this.#sockets.delete(socket));
    this.#sockets.add(socket);
    return socket;
  }

  #readNode(text) {
    const connect = connectReply(text);
    if (!connect) return false;
    this.node = connect.node ?? '';
    this.dispatchEvent(new Event('node'));
    return true;
  }
}

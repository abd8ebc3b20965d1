/** The WebSockets of the SDK, over the page's link to the gateway. */

/** A socket that is opened during a cut. It fails as if there were no network. */
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

function open(link, url, protocols) {
  const socket = protocols === undefined ? new WebSocket(url) : new WebSocket(url, protocols);
  const send = socket.send.bind(socket);
  const connection = link.opened(() => socket.close());
  socket.send = (data) => {
    if (socket.readyState !== WebSocket.OPEN) return; // A cut closes it before the SDK knows. The SDK sends what matters again.
    link.sent(data);
    send(data);
  };
  socket.addEventListener('message', ({ data }) => connection.received(data));
  socket.addEventListener('close', () => connection.ended());
  return socket;
}

/** A constructor of WebSockets. Pass this to the SDK as `websocket`. */
export function websocketOver(link) {
  return function Socket(url, protocols) {
    return link.isCut ? new FailingSocket() : open(link, url, protocols);
  };
}

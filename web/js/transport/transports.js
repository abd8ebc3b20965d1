/** The transports of the SDK: where they are, which one the page tries first, and what they are called. No page, no network. */

const KEY = 'switchboard.transport';

/** Each transport with its path and its name on the page, in the order in which the page tries them. */
const ALL = {
  websocket: { path: 'connection/websocket', title: 'WebSocket' },
  http_stream: { path: 'connection/http_stream', title: 'HTTP stream' },
  sse: { path: 'connection/sse', title: 'SSE' },
};

export const TRANSPORTS = Object.keys(ALL);

const isTransport = (name) => TRANSPORTS.includes(name);

export const titleOf = (name) => (isTransport(name) ? ALL[name].title : name);

/** The choice of this tab. It survives a reload; another tab may have another one. */
export const chosenTransport = {
  /** The transport that the page tries first. */
  first: () => chosenTransport.stored() ?? TRANSPORTS[0],
  /** The transport that the user chose, or null. */
  stored() {
    const name = sessionStorage.getItem(KEY);
    return isTransport(name) ? name : null;
  },
  /** Keeps a choice. What is no transport is ignored. */
  store(name) {
    if (isTransport(name)) sessionStorage.setItem(KEY, name);
  },
};

/** The endpoints for the SDK, the chosen one first. The SDK tries the next one if one does not work. `base` is the address of the page. */
export function endpoints(first, base) {
  return [first, ...TRANSPORTS.filter((name) => name !== first)].map((transport) => {
    const url = new URL(ALL[transport].path, base);
    if (transport === 'websocket') url.protocol = url.protocol.replace('http', 'ws');
    return { transport, endpoint: url.href };
  });
}

/** What the page says about the choice; `used` is the transport of the connection, or empty. */
export function transportText(first, used) {
  if (used !== '' && used !== first) return `${titleOf(first)} does not get through, so this tab uses ${titleOf(used)}.`;
  return 'If it does not get through, the tab uses another one. Choosing reloads the page.';
}

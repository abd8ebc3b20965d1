/** User names, demo tokens, and the client of the SDK. */

/** Invisible characters. The gateway refuses them too. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const TAB_KEY = 'switchboard.user';
const LAST_KEY = 'switchboard.last-user';

/** The SDK waits between `MIN` and `MIN + MIN * 2^attempt` milliseconds, `MAX` at most. */
const MIN_DELAY = 500;
const MAX_DELAY = 5_000;

/** The longest time that the SDK waits before this attempt, in milliseconds. */
export function longestDelay(attempt) {
  return Math.min(MAX_DELAY, MIN_DELAY + Math.min(MAX_DELAY, MIN_DELAY * 2 ** attempt));
}

/** The problem of a name. Empty if the name is valid. */
export function nameProblem(name) {
  if (name === '') return 'Enter a name.';
  if (name.length > 32) return 'Use at most 32 characters.';
  if (name === '.' || name === '..') return 'Use more than dots.';
  if (name !== name.trim()) return 'Remove the space at the beginning or the end.';
  return INVISIBLE.test(name) ? 'Remove the invisible characters.' : '';
}

/** The user of this tab. It survives a reload; another tab may have another user. */
export const storedUser = {
  current: () => sessionStorage.getItem(TAB_KEY),
  last: () => localStorage.getItem(LAST_KEY),
  store(user) {
    sessionStorage.setItem(TAB_KEY, user);
    localStorage.setItem(LAST_KEY, user);
  },
  clear: () => sessionStorage.removeItem(TAB_KEY),
};

/** Asks the gateway for a demo token. A refusal is final; after any other error the SDK tries again. */
export async function demoToken(user) {
  const response = await fetch('demo/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user }),
    signal: AbortSignal.timeout(5_000),
  });
  if (response.ok) return (await response.json()).token;
  const text = response.status === 404 ? 'This gateway issues no demo tokens (demo.enabled is false).' : `The gateway refused the sign-in (${response.status}).`;
  if (response.status >= 400 && response.status < 500 && response.status !== 429) throw new globalThis.Centrifuge.UnauthorizedError(text);
  throw new Error(text);
}

/** The SDK's client for this user, not yet connected, with a first token. */
export function createClient(user, firstToken, socket) {
  const url = new URL('connection/websocket', document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  return new globalThis.Centrifuge(url.href, {
    name: 'demo',
    token: firstToken,
    getToken: () => demoToken(user),
    websocket: socket.constructorForSdk,
    networkEventTarget: socket.network,
    minReconnectDelay: MIN_DELAY,
    maxReconnectDelay: MAX_DELAY,
  });
}

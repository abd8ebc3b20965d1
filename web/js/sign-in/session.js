/** User names, demo tokens, and the client of the SDK. */

import { signInText } from '../page/error-texts.js';
import { lengthOf } from '../page/limit.js';
import { eventSourceOver } from '../transport/event-source.js';
import { fetchOver } from '../transport/http-stream.js';
import { endpoints } from '../transport/transports.js';
import { websocketOver } from '../transport/websocket.js';

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

/** The largest length of a name. */
export const NAME_LIMIT = 32;

/** The problem of a name. Empty if the name is valid. */
export function nameProblem(name) {
  if (name === '') return 'Enter a name.';
  if (lengthOf(name) > NAME_LIMIT) return `Use at most ${NAME_LIMIT} characters.`;
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

/** A sign-in that failed; the message is a sentence for the user. `isFinal`: the same name fails again. */
export class SignInError extends Error {
  constructor(failure) {
    super(signInText(failure));
    this.isFinal = failure.status >= 400 && failure.status < 500 && failure.status !== 429;
  }
}

/** Asks the gateway for a demo token. Throws a `SignInError`. */
export async function demoToken(user) {
  const response = await requestToken(user);
  const body = await response.json().catch(() => ({}));
  if (response.ok && typeof body?.token === 'string') return body.token;
  throw new SignInError({ status: response.status, detail: String(body?.detail ?? ''), retryAfter: response.headers.get('retry-after') });
}

async function requestToken(user) {
  try {
    return await fetch('demo/token', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ user }),
      signal: AbortSignal.timeout(5_000),
    });
  } catch (error) {
    throw new SignInError({ status: 0, isOnline: navigator.onLine, isTimeout: error.name === 'TimeoutError' });
  }
}

/** A token for the SDK, which must not try again after its own error `UnauthorizedError`. */
async function tokenForSdk(user) {
  try {
    return await demoToken(user);
  } catch (error) {
    throw error.isFinal ? new globalThis.Centrifuge.UnauthorizedError(error.message) : error;
  }
}

/** The SDK's client for this user, not yet connected, with a first token. It tries the transport `first` before the others. */
export function createClient(user, firstToken, link, first) {
  return new globalThis.Centrifuge(endpoints(first, document.baseURI), {
    name: 'demo',
    token: firstToken,
    getToken: () => tokenForSdk(user),
    websocket: websocketOver(link),
    fetch: fetchOver(link),
    eventsource: eventSourceOver(link),
    emulationEndpoint: new URL('emulation', document.baseURI).href,
    networkEventTarget: link.network,
    minReconnectDelay: MIN_DELAY,
    maxReconnectDelay: MAX_DELAY,
  });
}

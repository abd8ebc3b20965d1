/** What the page says about the connection: its state, derived from facts, and the texts of each state. No page, no network. */

import { disconnectText } from '../page/error-texts.js';

/**
 * The state of the connection.
 *
 * - `connecting`: an attempt runs, and nothing has failed yet
 * - `connected`
 * - `unreached`: there was no connection yet, and an attempt has failed
 * - `waiting`: the connection is lost, the next attempt follows
 * - `shutdown`: the node ended the connection because it shuts down, the next attempt follows
 * - `offline`: the browser has no network
 * - `cut`: the user cut the connection for some seconds
 * - `closed`: for good; the SDK does not try again
 */
export function stateOf({ isConnected, isClosed, isCut, isRetrying, isOnline, wasConnected, isShutdown }) {
  if (isClosed) return 'closed';
  if (isConnected) return 'connected';
  if (isCut) return 'cut';
  if (!isRetrying) return 'connecting';
  if (!isOnline) return 'offline';
  if (!wasConnected) return 'unreached';
  return isShutdown ? 'shutdown' : 'waiting';
}

const nextTry = ({ nextIn }) => `Next try within ${nextIn} s`;

/** By state: `pill` is in the header, `panel` in the panel, `banner` over the conversation, `announcement` for screen readers. */
const TEXTS = {
  connecting: () => ({ pill: 'Connecting', panel: 'Connecting…', banner: '', announcement: '' }),
  connected: () => ({ pill: 'Connected', panel: 'Connected', banner: '', announcement: '' }),
  unreached: (times) => ({
    pill: 'Not connected',
    panel: nextTry(times),
    banner: `Not connected yet. ${nextTry(times)}.`,
    announcement: 'Not connected yet. Trying again.',
  }),
  waiting: (times) => ({
    pill: 'Reconnecting',
    panel: nextTry(times),
    banner: `The connection is lost. ${nextTry(times)}.`,
    announcement: 'The connection is lost. Trying again.',
  }),
  shutdown: (times) => ({
    pill: 'Reconnecting',
    panel: nextTry(times),
    banner: `The server is shutting down. ${nextTry(times)}.`,
    announcement: 'The server is shutting down. Trying again.',
  }),
  offline: () => ({
    pill: 'Offline',
    panel: 'Offline',
    banner: 'You are offline. The page connects again when your network is back.',
    announcement: 'You are offline.',
  }),
  cut: ({ backIn }) => ({
    pill: 'Connection cut',
    panel: `Cut, back in ${backIn} s`,
    banner: `You cut the connection. It comes back in ${backIn} s. No message will be missing.`,
    announcement: 'You cut the connection.',
  }),
  closed: ({ closing }) => ({
    pill: 'Disconnected',
    panel: 'Disconnected',
    banner: disconnectText(closing),
    announcement: disconnectText(closing),
  }),
};

/**
 * The texts of a state. `nextIn` is the longest time to the next attempt and `backIn` the time to the end of a cut, both in seconds;
 * `closing` is the code and the reason of the disconnect. The banner is empty if there is nothing to say.
 */
export function connectionTexts(state, { nextIn = '', backIn = '', closing = {} } = {}) {
  return TEXTS[state]({ nextIn, backIn, closing });
}

/** The states in which the user can ask for an attempt at once. */
export const CAN_TRY_NOW = new Set(['unreached', 'waiting', 'shutdown', 'offline']);

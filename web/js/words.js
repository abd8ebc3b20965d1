/** Errors and closings in words a person can act on. */

/** By error code. A rejection (1003) is left to the service's own words. */
const BY_CODE = {
  1: 'No answer came in time.',
  2: 'The connection broke before an answer came.',
  4: 'You are signed out.',
  10: 'It could not be sent: the connection is down.',
  11: 'The connection broke before an answer came.',
  100: 'Something went wrong on the server. Try again.',
  101: 'Your sign-in is no longer valid. Sign in again.',
  102: 'That channel does not exist.',
  103: 'You are not allowed to do that.',
  104: 'No service answers to that name. Is the chat bot running?',
  106: 'A limit is reached. Close another tab and try again.',
  107: 'The server did not understand that.',
  108: 'That is not available on this server.',
  109: 'Your sign-in has expired. Sign in again.',
  111: 'That was too fast. Wait a second, then try again.',
  1000: 'The chat bot is not available just now. Try again in a moment.',
  1001: 'The chat bot did not answer in time.',
  1002: 'The chat bot has too much to do. Try again in a moment.',
  1004: 'The chat bot answered with something unreadable.',
  1005: 'The server could not say whether it worked.',
  1006: 'That message is too long.',
};

/** Codes that leave open whether the request was carried out. */
const UNSURE = new Set([1, 2, 11, 1001, 1004, 1005]);

/** What went wrong with a call, in a sentence. A service's own refusal speaks for itself. */
export function inWords(error) {
  return BY_CODE[error?.code] ?? (error?.message ? sentence(error.message) : 'It did not work. Try again.');
}

function sentence(message) {
  const text = message[0].toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Whether the request may have been carried out although its answer never came. */
export function isUnsure(error) {
  return UNSURE.has(error?.code);
}

const CLOSED = {
  0: 'You signed out.',
  1: 'Your sign-in was not accepted. Sign in again.',
  3500: 'Your sign-in was not accepted. Sign in again.',
  3501: 'The server did not understand this page. Reload it.',
  3503: 'The server ended this connection.',
  3504: 'The server holds as many connections as it may. Try again later.',
  3507: 'You are not allowed to connect.',
};

/** Why the connection ended for good. */
export function closedInWords({ code, reason }) {
  return CLOSED[code] ?? `The server ended this connection${reason ? `: ${reason}` : ''}.`;
}

/** A command line that notifies this user, whatever the name holds. */
export function commandFor(user) {
  const body = JSON.stringify({ user, title: 'Hello', body: 'From the command line', level: 'info' }).replaceAll("'", String.raw`'\''`);
  return `curl -X POST http://127.0.0.1:8200/v1/notifications -H 'Content-Type: application/json' -d '${body}'`;
}

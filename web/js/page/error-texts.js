/** Texts for errors and disconnects. */

/** By error code. Errors of services have their own message. */
const BY_CODE = {
  1: 'No answer came in time.',
  2: 'The connection broke before an answer came.',
  4: 'You are signed out.',
  10: 'It could not be sent: the connection is down.',
  11: 'The connection broke before an answer came.',
  100: 'The server failed. Try again.',
  101: 'Your sign-in is not valid. Sign in again.',
  102: 'That channel does not exist.',
  103: 'You are not allowed to do that.',
  104: 'There is no service with that name. Is the chat bot running?',
  106: 'A limit is reached. Close another tab and try again.',
  107: 'The server did not understand the request.',
  108: 'That is not available on this server.',
  109: 'Your sign-in has expired. Sign in again.',
  111: 'That was too fast. Wait a second, then try again.',
  1000: 'The chat bot is not available. Try again in a moment.',
  1001: 'The chat bot did not answer in time.',
  1002: 'The chat bot has too much to do. Try again in a moment.',
  1004: 'The chat bot sent an invalid answer.',
  1005: 'The server does not know whether it worked.',
  1006: 'That message is too long.',
};

/** Codes after which the request may have been carried out. */
const OUTCOME_UNKNOWN = new Set([1, 2, 11, 1001, 1004, 1005]);

/** A sentence for the error of a call. An error of a service has its own message. */
export function errorText(error) {
  return BY_CODE[error?.code] ?? (error?.message ? asSentence(error.message) : 'The request failed. Try again.');
}

function asSentence(message) {
  const text = message[0].toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Whether the request may have been carried out, although its answer never arrived. */
export function isOutcomeUnknown(error) {
  return OUTCOME_UNKNOWN.has(error?.code);
}

/** By disconnect code: those after which the SDK does not connect again (docs/codes.md), and the SDK's own. */
const BY_DISCONNECT = {
  0: 'You signed out.',
  1: 'Your sign-in was not accepted. Sign in again.',
  3: 'This page sent a message that is too large for the server.',
  3500: 'Your sign-in was not accepted. Sign in again.',
  3501: 'The server did not understand this page. Reload it.',
  3502: 'This page took too long to connect. Connect again.',
  3503: 'The server ended this connection.',
  3504: 'You are connected too often at the same time. Close another page, then connect again.',
  3505: 'Your sign-in names more channels than the server allows.',
  3506: 'The server does not support the format of this page. Reload it.',
};

/** Why the connection ended and does not come back. */
export function disconnectText({ code, reason }) {
  return BY_DISCONNECT[code] ?? `The server ended this connection${reason ? `: ${reason}` : ''}.`;
}

/** A pause as the server requests it: seconds or a date (RFC 9110, section 10.2.3). */
function tryAgainText(retryAfter) {
  const seconds = /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : Math.ceil((Date.parse(retryAfter) - Date.now()) / 1000);
  return seconds > 0 ? `Try again in ${seconds} s.` : 'Try again in a moment.';
}

/**
 * Why a sign-in failed. `status` is that of the response, 0 if nothing answered; `detail` is the sentence of the gateway's problem
 * document, `retryAfter` the header of that name.
 */
export function signInText({ status, detail = '', retryAfter = null, isOnline = true, isTimeout = false }) {
  if (isTimeout) return 'The gateway did not answer in time. Try again.';
  if (status === 0) return isOnline ? 'The gateway does not answer. Is it running?' : 'You are offline, and the gateway does not answer.';
  if (status === 404) return 'This gateway issues no demo tokens: its setting demo.enabled is false.';
  if (status === 429) return `Too many sign-ins at once. ${tryAgainText(retryAfter)}`;
  if (status >= 500) return `The gateway cannot sign you in now (error ${status}). ${tryAgainText(retryAfter)}`;
  return detail === '' ? `The gateway refused the sign-in (error ${status}).` : asSentence(detail);
}

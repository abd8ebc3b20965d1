/** The lobby and the news over one EventSource, without a library. */

import { byId, write } from '../page/dom.js';
import { demoToken } from '../sign-in/session.js';
import { addNote, addPublication, showPosition, showState, wirePage } from './small-page.js';
import { visitor } from './visitor.js';

const CHANNELS = ['chat:lobby', 'news:world'];
/** After this time the page tries again where the browser does not, at most twice as late. */
const AGAIN_AFTER = 3_000;

const user = visitor();
const endpoint = new URL(`events?${CHANNELS.map((channel) => `channel=${channel}`).join('&')}`, document.baseURI);

let source = null;
/** The positions in all channels, as the last event names them. The next stream continues there. */
let position = '';
let again = 0;
/** Counts the streams, so that a token that comes too late opens none. */
let attempt = 0;

function moveTo(id) {
  position = id || position;
  showPosition(position);
}

function end() {
  attempt += 1;
  clearTimeout(again);
  source?.close();
  source = null;
}

/** The browser has given up, or there is no token: the page tries again later, with a new token. */
function tryLater() {
  end();
  showState('waiting');
  again = setTimeout(begin, AGAIN_AFTER * (1 + Math.random()));
}

/** The gateway ended the stream: the token has expired (a code below 3500), or this user may not read here any more. */
function ended({ code, reason }) {
  if (code < 3500) return tryLater();
  end();
  showState('closed', `The gateway ended the stream: ${reason}`);
}

async function begin() {
  end();
  const own = attempt;
  showState('connecting');
  const token = await demoToken(user).catch(() => null);
  if (own !== attempt) return;
  if (token === null) return tryLater();
  const url = new URL(endpoint);
  url.searchParams.set('token', token);
  if (position !== '') url.searchParams.set('lastEventId', position);
  source = new EventSource(url);
  source.onopen = () => showState('connected');
  source.onmessage = ({ data, lastEventId }) => {
    moveTo(lastEventId);
    addPublication(JSON.parse(data).data);
  };
  source.onerror = ({ target }) => (target.readyState === EventSource.CLOSED ? tryLater() : showState('waiting'));
  source.addEventListener('reset', ({ data, lastEventId }) => {
    moveTo(lastEventId);
    addNote(`Lines of ${JSON.parse(data).channel} are missing: the history does not have them any more`);
  });
  source.addEventListener('end', ({ data }) => ended(JSON.parse(data)));
}

/** The address of the REST interface, which the demo tells. */
async function showCommand() {
  const { api } = await fetch('demo/nodes').then((answer) => answer.json()).catch(() => ({}));
  write(byId('command'), [
    "curl -H 'authorization: Bearer dev'",
    "-H 'content-type: application/json'",
    `-d '{"data":{"headline":"It rains"}}'`,
    `${api ?? 'http://127.0.0.1:8001'}/v1/channels/news:world/publications`,
  ].join(' \\\n'));
}

wirePage({ user, endpoint: endpoint.href, enter: begin, leave: end });
begin();
showCommand();

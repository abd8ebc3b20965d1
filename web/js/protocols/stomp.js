/** The lobby over STOMP, with an unmodified @stomp/stompjs. */

import { byId, show, write } from '../page/dom.js';
import { demoToken } from '../sign-in/session.js';
import { addNote, addPublication, showPosition, showState, wirePage } from './small-page.js';
import { visitor } from './visitor.js';

const CHANNEL = 'chat:lobby';
const user = visitor();
const endpoint = new URL('stomp', document.baseURI);
endpoint.protocol = endpoint.protocol.replace('http', 'ws');

/** The position of the last line. The next SUBSCRIBE continues there; an empty one begins now. */
let position = '';
/** The last token. While none can be got, the gateway decides whether it is still good. */
let token = '';

function showProblem(text) {
  write(byId('problem'), text);
  show(byId('problem'), text !== '');
}

function moveTo({ headers }) {
  position = headers['x-position'] ?? position;
  showPosition(position);
}

function receive(message) {
  const { headers, body } = message;
  moveTo(message);
  if (headers['x-gap']) addNote('Lines are missing: the history does not have them any more');
  else addPublication(JSON.parse(body));
}

const client = new globalThis.StompJs.Client({
  brokerURL: endpoint.href,
  reconnectDelay: 1_000,
  maxReconnectDelay: 10_000,
  reconnectTimeMode: globalThis.StompJs.ReconnectionTimeMode.EXPONENTIAL,
  async beforeConnect() {
    showState('connecting');
    token = await demoToken(user).catch(() => token);
    client.connectHeaders = token === '' ? {} : { Authorization: `Bearer ${token}` };
  },
  onConnect() {
    showState('connected', `Connected as ${user}`);
    showProblem('');
    // The receipt of a SUBSCRIBE has its position, too.
    client.watchForReceipt('subscribed', moveTo);
    client.subscribe(`/topic/${CHANNEL}`, receive, { 'x-position': position, receipt: 'subscribed' });
    client.subscribe('/user/queue/errors', ({ body }) => showProblem(body));
  },
  onStompError({ headers, body }) {
    showProblem(body || headers.message);
    if (headers.retryable === 'false') client.deactivate();
  },
  onWebSocketClose() {
    showState(client.active ? 'waiting' : 'closed');
  },
});

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('line').value.trim();
  if (text === '') return;
  if (!client.connected) return showProblem('You are not connected. The message stays in the field.');
  client.publish({ destination: '/app/chatbot/say', body: JSON.stringify({ channel: CHANNEL, text }) });
  byId('line').value = '';
  showProblem('');
});

wirePage({ user, endpoint: endpoint.href, enter: () => client.activate(), leave: () => client.deactivate() });
client.activate();

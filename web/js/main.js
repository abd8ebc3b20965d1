/** The start of the page: sign in, connect, show. */

import { BellView } from './bell-view.js';
import { Chat } from './chat.js';
import { ChatView, showPeople } from './chat-view.js';
import { ConnectionView } from './connection-view.js';
import { avatar, byId, show, write } from './dom.js';
import { Line } from './line.js';
import { LinkState } from './link-state.js';
import { arrive, wayTo } from './move.js';
import { Nodes } from './nodes.js';
import { NodesView, greet } from './nodes-view.js';
import { Notifications } from './notifications.js';
import { wirePanel } from './panel.js';
import { People } from './people.js';
import { createClient, remembered } from './session.js';
import { signIn } from './sign-in.js';
import { chosenTheme, wireTheme } from './theme.js';

const CHANNEL = 'chat:lobby';

function wireUser(user, client) {
  write(byId('me'), user);
  byId('me-picture').replaceChildren(avatar(user));
  byId('sign-out').addEventListener('click', () => {
    remembered.forget();
    client.disconnect();
    location.reload();
  });
}

function start({ user, token }, arrived) {
  show(byId('sign-in'), false);
  show(byId('app'), true);
  const line = new Line();
  const client = createClient(user, token, line);
  const link = new LinkState(client, line);
  const chat = new Chat(client, user, CHANNEL, link.watch);
  const people = new People((users) => showPeople(users, user));
  people.attach(chat.subscription);
  new ChatView(chat, user);
  const notifications = new Notifications(client, user, arrived.read);
  new BellView(notifications, user);
  new ConnectionView(client, line, link, CHANNEL);
  new NodesView(new Nodes(), line, link, (url) => location.assign(wayTo(url, { user, theme: chosenTheme(), read: notifications.inbox.read })));
  if (arrived.user === user) greet(line);
  wireUser(user, client);
  wirePanel();
  chat.open();
  client.connect();
  byId('line').focus();
}

const arrived = arrive();
wireTheme();
start(await signIn(arrived.user), arrived);

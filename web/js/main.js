/** The start of the page: sign in, connect, show. */

import { showAbout } from './about.js';
import { NotificationsView } from './notifications-view.js';
import { Chat } from './chat.js';
import { ChatView, showPeople } from './chat-view.js';
import { ConnectionView } from './connection-view.js';
import { avatar, byId, show, write } from './dom.js';
import { GatewaySocket } from './gateway-socket.js';
import { ConnectionState } from './connection-state.js';
import { takeMovedState, moveUrl } from './move.js';
import { Nodes } from './nodes.js';
import { NodesView, announceMove } from './nodes-view.js';
import { Notifications } from './notifications.js';
import { wirePanel } from './panel.js';
import { People } from './people.js';
import { createClient, storedUser } from './session.js';
import { signIn } from './sign-in.js';
import { chosenTheme, wireTheme } from './theme.js';

const CHANNEL = 'chat:lobby';

function wireUser(user, client) {
  write(byId('me'), user);
  byId('me-picture').replaceChildren(avatar(user));
  byId('sign-out').addEventListener('click', () => {
    storedUser.clear();
    client.disconnect();
    location.reload();
  });
}

function start({ user, token }, moved) {
  show(byId('sign-in'), false);
  show(byId('app'), true);
  const socket = new GatewaySocket();
  const client = createClient(user, token, socket);
  const connection = new ConnectionState(client, socket);
  const chat = new Chat(client, user, CHANNEL, connection.watch);
  const people = new People((users) => showPeople(users, user));
  people.attach(chat.subscription);
  new ChatView(chat, user);
  const notifications = new Notifications(client, user, moved.read);
  new NotificationsView(notifications, user);
  new ConnectionView(client, socket, connection, CHANNEL);
  new NodesView(new Nodes(), socket, connection, (url) => location.assign(moveUrl(url, { user, theme: chosenTheme(), read: notifications.inbox.read })));
  if (moved.user === user) announceMove(socket);
  wireUser(user, client);
  wirePanel();
  chat.open();
  client.connect();
  byId('message-field').focus();
}

const moved = takeMovedState();
wireTheme();
showAbout();
start(await signIn(moved.user), moved);

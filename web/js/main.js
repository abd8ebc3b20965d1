/** The start of the page: sign in, connect, show. */

import { showAbout } from './about.js';
import { NotificationsView } from './notifications-view.js';
import { Chat } from './chat.js';
import { ChatView, showPeople } from './chat-view.js';
import { ConnectionView } from './connection-view.js';
import { avatar, byId, count, show, write } from './dom.js';
import { GatewaySocket } from './gateway-socket.js';
import { ConnectionState } from './connection-state.js';
import { DraftStore } from './draft-store.js';
import { fitting, takeMovedState, moveUrl } from './move.js';
import { Nodes } from './nodes.js';
import { NodesView, announceMove } from './nodes-view.js';
import { News } from './news.js';
import { NewsView } from './news-view.js';
import { Notifications } from './notifications.js';
import { Outbox, storable } from './outbox.js';
import { wirePanel } from './panel.js';
import { People } from './people.js';
import { createClient, storedUser } from './session.js';
import { signIn } from './sign-in.js';
import { chosenTheme, wireTheme } from './theme.js';
import { toast } from './toasts.js';

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
  const hasMoved = moved.user === user;
  const outbox = new Outbox(user, CHANNEL);
  const draft = new DraftStore(user, CHANNEL, hasMoved ? moved.draft : null);
  const chat = new Chat(client, user, CHANNEL, connection.watch, outbox, hasMoved ? moved.lines : null);
  const people = new People((users) => showPeople(users, user));
  people.attach(chat.subscription);
  new ChatView(chat, user, draft);
  const notifications = new Notifications(client, user, moved.read);
  new NotificationsView(notifications, user);
  const news = new News(client, connection.watch);
  new NewsView(news);
  new ConnectionView(client, socket, connection, CHANNEL);
  new NodesView(new Nodes(), socket, connection, (url) => {
    const unsent = fitting({ draft: draft.read(), lines: chat.unsent.map(storable) });
    outbox.markMoved(unsent.lines);
    if (unsent.draft !== '') draft.markMoved();
    location.assign(moveUrl(url, { user, theme: chosenTheme(), read: notifications.inbox.read, ...unsent }));
  });
  if (hasMoved) announceMove(socket);
  if (hasMoved && moved.left > 0) toast({ title: 'Not everything came along', body: `${count(moved.left, 'unsent message')} did not fit into the address. Go back in this tab to find them.`, level: 'warning' });
  wireUser(user, client);
  wirePanel();
  chat.open();
  news.open();
  client.connect();
  byId('message-field').focus();
}

const moved = takeMovedState();
wireTheme();
showAbout();
start(await signIn(moved.user), moved);

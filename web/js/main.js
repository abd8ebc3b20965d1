/** The start of the page: sign in, connect, show. */

import { showAbout } from './page/about.js';
import { NotificationsView } from './notifications/notifications-view.js';
import { Chat } from './conversation/chat.js';
import { ChatView, showPeople } from './conversation/chat-view.js';
import { ConnectionView } from './connection/connection-view.js';
import { avatar, byId, count, show, write } from './page/dom.js';
import { ConnectionState } from './connection/connection-state.js';
import { DraftStore } from './outgoing/draft-store.js';
import { fitting, takeMovedState, moveUrl } from './connection/move.js';
import { Nodes } from './connection/nodes.js';
import { NodesView, announceMove } from './connection/nodes-view.js';
import { News } from './notifications/news.js';
import { NewsView } from './notifications/news-view.js';
import { Notifications } from './notifications/notifications.js';
import { Outbox, storable } from './outgoing/outbox.js';
import { wirePanel } from './page/panel.js';
import { People } from './conversation/people.js';
import { createClient, storedUser } from './sign-in/session.js';
import { signIn } from './sign-in/sign-in.js';
import { chosenTheme, wireTheme } from './page/theme.js';
import { toast } from './notices/toasts.js';
import { GatewayLink } from './transport/gateway-link.js';
import { TransportView } from './transport/transport-view.js';
import { chosenTransport } from './transport/transports.js';

const CHANNEL = 'chat:lobby';

/** `forget` removes what the user has not sent from the tab. */
function wireUser(user, client, forget) {
  write(byId('me'), user);
  byId('me-picture').replaceChildren(avatar(user));
  byId('sign-out').addEventListener('click', () => {
    storedUser.clear();
    client.disconnect();
    forget();
    location.reload();
  });
}

function start({ user, token }, moved) {
  byId('sign-in').remove();
  show(byId('app'), true);
  chosenTransport.store(moved.transport);
  const link = new GatewayLink();
  const client = createClient(user, token, link, chosenTransport.first());
  const connection = new ConnectionState(client, link);
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
  new ConnectionView(client, link, connection, CHANNEL);
  const transports = new TransportView(connection);
  new NodesView(new Nodes(), link, connection, (url) => {
    const unsent = fitting({ draft: draft.read(), lines: chat.unsent.map(storable) });
    outbox.markMoved(unsent.lines);
    if (unsent.draft !== '') draft.markMoved();
    location.assign(moveUrl(url, { user, theme: chosenTheme(), transport: chosenTransport.stored(), read: notifications.inbox.read, ...unsent }));
  });
  if (hasMoved) announceMove(link);
  if (hasMoved && moved.left > 0) toast({ title: 'Not everything came along', body: `${count(moved.left, 'unsent message')} did not fit into the address. Go back in this tab to find them.`, level: 'warning' });
  wireUser(user, client, () => {
    outbox.clear();
    draft.clear();
  });
  wirePanel();
  chat.open();
  news.open();
  client.connect();
  if (!transports.takeFocus()) byId('message-field').focus();
}

const moved = takeMovedState();
wireTheme();
showAbout();
start(await signIn(moved.user), moved);

/** The page's story: sign in, connect, show. */

import { BellView } from './bell-view.js';
import { Chat } from './chat.js';
import { ChatView, showPeople } from './chat-view.js';
import { ConnectionView } from './connection-view.js';
import { avatar, byId, show, write } from './dom.js';
import { Line } from './line.js';
import { LinkState } from './link-state.js';
import { Notifications } from './notifications.js';
import { wirePanel } from './panel.js';
import { People } from './people.js';
import { createClient, remembered } from './session.js';
import { signIn } from './sign-in.js';
import { wireTheme } from './theme.js';

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

function start({ user, token }) {
  show(byId('sign-in'), false);
  show(byId('app'), true);
  const line = new Line();
  const client = createClient(user, token, line);
  const link = new LinkState(client, line);
  const chat = new Chat(client, user, CHANNEL, link.watch);
  const people = new People((users) => showPeople(users, user));
  people.attach(chat.subscription);
  new ChatView(chat, user);
  new BellView(new Notifications(client, user), user);
  new ConnectionView(client, line, link, CHANNEL);
  wireUser(user, client);
  wirePanel();
  chat.open();
  client.connect();
  byId('line').focus();
}

wireTheme();
start(await signIn());

// The official SDK, set up for tests.

import { randomBytes } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';
import { next } from './wait.mjs';
import { token } from './token.mjs';

/** A name that no other test uses. */
export const unique = (prefix) => `${prefix}${randomBytes(6).toString('hex')}`;

/** A client of the SDK, in its JSON build unless another is given, that does not connect yet. It is disconnected after the test. */
export function client(t, gateway, options = {}, Build = Centrifuge) {
    const { url = gateway.websocket, ...rest } = options;
    const made = new Build(url, { websocket: WebSocket, minReconnectDelay: 20, maxReconnectDelay: 100, ...rest });
    // Without a listener an emitter throws; tests that expect errors listen for themselves.
    made.on('error', () => {});
    t.after(() => made.disconnect());
    return made;
}

/** A client that has connected; the answer is in its `context`. */
export async function connected(t, gateway, options) {
    const made = client(t, gateway, options);
    const answered = next(made, 'connected');
    made.connect();
    made.context = await answered;
    return made;
}

/** The same, signed in. */
export function signedIn(t, gateway, user, claims = {}, options = {}) {
    return connected(t, gateway, { token: token({ sub: user, ...claims }), ...options });
}

/** A subscription that has been answered; the answer is in its `context`. */
export async function subscribed(client, channel, options = {}) {
    const made = client.newSubscription(channel, { minResubscribeDelay: 20, maxResubscribeDelay: 100, ...options });
    made.on('error', () => {});
    const answered = next(made, 'subscribed');
    made.subscribe();
    made.context = await answered;
    return made;
}

// Clients of the official SDK, configured for tests.

import { randomBytes } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';
import { next } from './wait.mjs';
import { token } from './token.mjs';

/** Returns a name that no other test uses. */
export const unique = (prefix) => `${prefix}${randomBytes(6).toString('hex')}`;

/** Creates a client of the SDK without connecting it. `Build` is the SDK's client class. The client is disconnected after the test. */
export function client(t, gateway, options = {}, Build = Centrifuge) {
    const { url = gateway.websocket, ...rest } = options;
    const made = new Build(url, { websocket: WebSocket, minReconnectDelay: 20, maxReconnectDelay: 100, ...rest });
    // An emitter without a listener for errors throws. Tests that expect errors add a listener.
    made.on('error', () => {});
    t.after(() => made.disconnect());
    return made;
}

/** Creates a client and connects it. The reply to the connect is in its `context`. */
export async function connected(t, gateway, options) {
    const made = client(t, gateway, options);
    const answered = next(made, 'connected');
    made.connect();
    made.context = await answered;
    return made;
}

/** Creates a client and connects it with a token of `user`. */
export function signedIn(t, gateway, user, claims = {}, options = {}) {
    return connected(t, gateway, { token: token({ sub: user, ...claims }), ...options });
}

/** Subscribes to a channel and waits for the reply, which is in `context` of the returned subscription. */
export async function subscribed(client, channel, options = {}) {
    const made = client.newSubscription(channel, { minResubscribeDelay: 20, maxResubscribeDelay: 100, ...options });
    made.on('error', () => {});
    const answered = next(made, 'subscribed');
    made.subscribe();
    made.context = await answered;
    return made;
}

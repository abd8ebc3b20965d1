// Clients of the official SDK, configured for tests.

import { randomBytes } from 'node:crypto';
import { Centrifuge } from 'centrifuge';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { next } from './wait.mjs';
import { token } from './token.mjs';

/** Returns a name that no other test uses. */
export const unique = (prefix) => `${prefix}${randomBytes(6).toString('hex')}`;

/** The HTTP origin of the gateway or proxy with this WebSocket URL. */
const originOf = (url) => new URL(url).origin.replace('ws', 'http');

/** The endpoint for the SDK: one transport, or a list of which the SDK takes the first that works. */
function endpoint(url, transport) {
    if (transport === 'websocket') return url;
    const http = (name) => `${originOf(url)}/connection/${name}`;
    return [transport].flat().map((name) => ({ transport: name, endpoint: name === 'websocket' ? url : http(name) }));
}

/**
 * Creates a client of the SDK without connecting it. `options.transport` names its transport, or a list of them. `Build` is the SDK's client
 * class. The client is disconnected after the test.
 */
export function client(t, gateway, options = {}, Build = Centrifuge) {
    const { url = gateway.websocket, transport = 'websocket', ...rest } = options;
    const made = new Build(endpoint(url, transport), {
        websocket: WebSocket,
        eventsource: EventSource,
        emulationEndpoint: `${originOf(url)}/emulation`,
        minReconnectDelay: 20,
        maxReconnectDelay: 100,
        ...rest,
    });
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

// The SDK's transports, and test files that run over each of them. A file runs over WebSocket; imported with the name of another transport as
// the query of its URL, as in `import './recovery.test.mjs?sse'`, it runs over that one.

import { test as register } from 'node:test';
import * as sdk from './client.mjs';
import { RawStream } from './raw-stream.mjs';
import { Raw } from './raw.mjs';

const WEBSOCKET = 'websocket';

/** For the options of a test about WebSockets themselves. */
export const ONLY_WEBSOCKET = { over: [WEBSOCKET] };
/** For the options of a test about sessions that get their commands by POST. */
export const ONLY_FALLBACKS = { over: ['http_stream', 'sse'] };

/** Returns what a test file with this URL uses in place of node:test, client.mjs and raw.mjs. */
export function over(url) {
    const transport = new URL(url).search.slice(1) || WEBSOCKET;
    const set = (options) => ({ transport, ...options });
    const streams = {
        open: (t, gateway, options) => RawStream.open(t, gateway, set(options)),
        connect: (t, gateway, connect, options) => RawStream.connect(t, gateway, connect, set(options)),
    };
    return {
        transport,
        /** Registers a test. `options.over` names the only transports that it is about. */
        test(name, ...rest) {
            const [run, options] = rest.reverse();
            const isFor = options?.over?.includes(transport) ?? true;
            if (isFor) register(transport === WEBSOCKET ? name : `${transport}: ${name}`, run);
        },
        client: (t, gateway, options, Build) => sdk.client(t, gateway, set(options), Build),
        connected: (t, gateway, options) => sdk.connected(t, gateway, set(options)),
        signedIn: (t, gateway, user, claims, options) => sdk.signedIn(t, gateway, user, claims, set(options)),
        Raw: transport === WEBSOCKET ? Raw : streams,
    };
}

/** A gateway with the demo page and without a bot, for one test. So the test decides what the conversation contains. */

import { ownGateway } from '../../../gateway/tests/sdk/support/gateway.mjs';

/** The settings of a gateway that serves the demo. */
export const DEMO_SETTINGS = `
[demo]
enabled = true
[namespaces.chat]
history_size = 1000
history_ttl = "1h"
presence = true
join_leave = true
subscribe = "anyone"
see_presence = "subscriber"
see_history = "subscriber"
unrecoverable = "replay"
[namespaces.stream]
history_size = 1000
history_ttl = "1h"
subscribe = "anyone"
see_history = "subscriber"
unrecoverable = "replay"
`;

export const LOBBY = 'chat:lobby';

export const demoGateway = (t) => ownGateway(t, DEMO_SETTINGS);

let number = 0;

/** A line in the conversation. */
export const line = (text, { from = 'bob', at = new Date().toISOString(), ...more } = {}) => ({ kind: 'message', id: `line-${++number}`, from, text, at, ...more });

// A client that sends commands faster than it accepts the replies.

import assert from 'node:assert/strict';
import { unique } from './support/client.mjs';
import { stack } from './support/gateway.mjs';
import { over } from './support/transports.mjs';

const { Raw, test } = over(import.meta.url);
const gateway = await stack();

test('when replies fill half of the outbox, the gateway pauses reading and keeps the connection', async (t) => {
    const channel = unique('recover:');
    const raw = await Raw.connect(t, gateway);
    const publishes = Array.from({ length: 50 }, () => ({ publish: { channel, data: 'x'.repeat(1000) } }));
    const [subscribed] = raw.send({ subscribe: { channel } });
    await raw.reply(subscribed);
    for (const publish of publishes) await raw.reply(raw.send(publish)[0]);
    const ids = Array.from({ length: 40 }, () => raw.send({ history: { channel, limit: 50 } })[0]);
    for (const id of ids) assert.equal((await raw.reply(id)).history.publications.length, 50);
});

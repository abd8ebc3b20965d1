// What is as large as it may be, and what is larger.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unique } from './support/client.mjs';
import { stack } from './support/gateway.mjs';
import { Raw } from './support/raw.mjs';
import { token } from './support/token.mjs';

const gateway = await stack();

/** `connection.data_size`, as JSON text. */
const LARGEST = 64 * 1024;
const text = (bytes) => 'x'.repeat(bytes - 2);

test('the largest data arrives, live and recovered', async (t) => {
    const [channel, user] = [unique('news:'), unique('user')];
    const raw = await Raw.connect(t, gateway);
    await raw.ask({ subscribe: { channel } });
    for (let offset = 1; offset <= 6; offset += 1) {
        await gateway.publish(channel, text(LARGEST));
        await raw.push('pub', (pub) => pub.offset === offset && pub.data.length === LARGEST - 2);
        await gateway.ask('POST', `/v1/users/${user}/messages`, { data: text(LARGEST) });
    }
    const again = await Raw.connect(t, gateway, { token: token({ sub: user }), subs: { [`#${user}`]: { recover: true, offset: 0, epoch: '' } } });
    const { subscribe } = await again.ask({ subscribe: { channel, recover: true, offset: 0, epoch: '' } });
    for (const [name, answered] of [[channel, subscribe], [`#${user}`, again.connection.subs[`#${user}`]]]) {
        const held = answered.publications ?? [];
        assert.ok(answered.recovered && held.every((pub) => pub.data.length === LARGEST - 2));
        if (held.length < 6) await again.frame((frame) => frame.push?.channel === name && frame.push.pub.offset === 6, name);
    }
});

test('larger data is refused wherever it comes in, and reaches nobody', async (t) => {
    const [channel, user, data] = [unique('news:'), unique('user'), text(LARGEST + 1)];
    const raw = await Raw.connect(t, gateway, { token: token({ sub: user }) });
    await raw.ask({ subscribe: { channel } });
    for (const path of [`/v1/channels/${channel}/publications`, `/v1/users/${user}/messages`, `/v1/connections/${raw.connection.client}/messages`]) {
        const { status, body } = await gateway.rest('POST', path, { data });
        assert.deepEqual([status, body.code], [413, 'payload_too_large'], path);
    }
    await gateway.publish(channel, 'small');
    assert.equal((await raw.push('pub')).push.pub.offset, 1);
});

// Ordinary HTTP requests to the public listener.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connected, unique } from './support/client.mjs';
import { stack } from './support/gateway.mjs';

const gateway = await stack();

test('the answer to HEAD is the answer to GET without the body', async () => {
    for (const path of ['/', '/livez', '/readyz', '/nothing.html']) {
        const [get, head] = await Promise.all(['GET', 'HEAD'].map((method) => fetch(gateway.url + path, { method })));
        assert.equal(head.status, get.status, path);
        for (const name of ['content-type', 'content-length', 'content-security-policy']) {
            assert.equal(head.headers.get(name), get.headers.get(name), `${name} of ${path}`);
        }
        assert.ok((await get.text()).length > 0);
        assert.equal(await head.text(), '');
    }
});

test('a demo token connects its user', async (t) => {
    const user = unique('alice-');
    const body = JSON.stringify({ user });
    const response = await fetch(`${gateway.url}/demo/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const { token } = await response.json();
    const it = await connected(t, gateway, { token, getToken: () => token });
    const { connections } = await gateway.ask('GET', `/v1/users/${user}/connections`);
    assert.deepEqual(connections.map(({ id }) => id), [it.context.client]);
});

// Chat bot and notifier reach a gateway whose internal listener asks for certificates.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Authority } from './support/certificates.mjs';
import { signedIn, subscribed } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { backend, freePort, Program } from './support/program.mjs';
import { next } from './support/wait.mjs';

/** The address has no name, so settings of the services say which name the certificate has. */
const NAME = 'gateway.internal';

/** Starts a gateway with an internal listener for holders of a certificate. Returns the settings of a service that has one. */
async function setUp(t) {
    const authority = await Authority.create(t);
    const [own, client] = [authority.sign(`DNS:${NAME}`), authority.sign('DNS:service.internal')];
    const gateway = await ownGateway(t, `
        [namespaces.chat]
        subscribe = "anyone"
        history_size = 10
        history_ttl = "1m"
        see_history = "subscriber"
        [services.chatbot]
        reach = "link"
        [internal.tls]
        client_ca_file = "${authority.file}"
        [[internal.tls.pairs]]
        cert_file = "${own.cert}"
        key_file = "${own.key}"`);
    const url = gateway.api.replace('http:', 'https:');
    const trust = { GATEWAY__CA_FILE: authority.file, GATEWAY__SERVER_NAME: NAME };
    return { gateway, url, trust, certificate: { GATEWAY__CERT_FILE: client.cert, GATEWAY__KEY_FILE: client.key } };
}

test('the chat bot answers over a link with TLS and a certificate', async (t) => {
    const { gateway, url, trust, certificate } = await setUp(t);
    await backend(t, 'chatbot-backend', url, { ...trust, ...certificate });
    const alice = await signedIn(t, gateway, 'alice');
    const room = await subscribed(alice, 'chat:tls');
    const received = next(room, 'publication', ({ data }) => data.text === 'hello');
    await alice.rpc('chatbot.say', { channel: 'chat:tls', text: 'hello' });
    assert.equal((await received).data.from, 'alice');
});

test('the notifier delivers over REST with TLS and a certificate', async (t) => {
    const { gateway, url, trust, certificate } = await setUp(t);
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
    t.after(() => rm(folder, { recursive: true }));
    const notifier = await backend(t, 'notifier-backend', url, { ...trust, ...certificate, OUTBOX__PATH: join(folder, 'outbox.sqlite') });
    const alice = await signedIn(t, gateway, 'alice');
    const arrived = next(alice, 'publication', ({ data }) => data.title === 'hi');
    const body = JSON.stringify({ user: 'alice', title: 'hi' });
    const { status } = await fetch(`${notifier.url}/v1/notifications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    assert.equal(status, 202);
    await arrived;
});

test('a chat bot without a certificate, or with another authority, is not ready and says why', async (t) => {
    const { url, trust, certificate } = await setUp(t);
    const stranger = await Authority.create(t);
    const wrong = { 'without a certificate': trust, 'with another authority': { ...trust, ...certificate, GATEWAY__CA_FILE: stranger.file } };
    for (const [name, settings] of Object.entries(wrong)) {
        const address = `127.0.0.1:${await freePort()}`;
        const all = { HTTP__ADDRESS: address, GATEWAY__URLS: url, GATEWAY__API_KEY: 'dev', ...settings };
        const bot = new Program('chatbot-backend', [], Object.fromEntries(Object.entries(all).map(([key, value]) => [`CHATBOT__${key}`, value])));
        t.after(() => bot.stop());
        await bot.until(() => /certificate/i.test(bot.log));
        const ready = await bot.until(() => fetch(`http://${address}/readyz`).catch(() => undefined));
        assert.equal(ready.status, 503, name);
    }
});

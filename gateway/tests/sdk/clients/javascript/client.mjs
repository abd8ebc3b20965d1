// A frontend with centrifuge-js. clients/README.md describes its arguments, commands and events.

import { createInterface } from 'node:readline';
import { Centrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

const [form, url] = process.argv.slice(2);
const [encoding, fallback] = form.split('/');
const isProtobuf = encoding === 'protobuf';
// In the Protobuf build data is bytes.
const write = (data) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(data)) : data);
const read = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const emit = (event, fields) => say({ event, ...fields });

let giveToken;
function getToken() {
    const given = new Promise((resolve) => (giveToken = resolve));
    emit('token');
    return given;
}

const at = (path) => new URL(path, url.replace('ws', 'http')).href;
const endpoint = fallback ? [{ transport: fallback, endpoint: at(`/connection/${fallback}`) }] : url;
const options = { websocket: WebSocket, eventsource: EventSource, emulationEndpoint: at('/emulation'), getToken };
const client = new (isProtobuf ? ProtobufCentrifuge : Centrifuge)(endpoint, options);
client.on('connecting', ({ code }) => emit('connecting', { code }));
client.on('connected', ({ client }) => emit('connected', { client }));
client.on('disconnected', ({ code }) => emit('disconnected', { code }));
client.on('error', (context) => console.error(context));

const COMMANDS = {
    connect({ token }) {
        client.setToken(token);
        client.connect();
    },
    subscribe({ channel }) {
        const subscription = client.newSubscription(channel, { joinLeave: true });
        subscription.on('subscribed', ({ wasRecovering, recovered }) => emit('subscribed', { wasRecovering, recovered }));
        subscription.on('unsubscribed', ({ code }) => emit('unsubscribed', { code }));
        subscription.on('publication', ({ data, offset }) => emit('publication', { data: read(data), offset }));
        subscription.on('join', ({ info }) => emit('join', { user: info.user }));
        subscription.on('leave', ({ info }) => emit('leave', { user: info.user }));
        subscription.on('error', (context) => console.error(context));
        subscription.subscribe();
    },
    publish: async ({ channel, data }) => void (await client.publish(channel, write(data))),
    presence: async ({ channel }) => [...Object.values((await client.presence(channel)).clients)].map(({ user }) => user),
    history: async ({ channel }) => {
        const { publications } = await client.history(channel, { limit: 10 });
        return publications.map(({ data, offset }) => ({ data: read(data), offset }));
    },
    rpc: async ({ method, data }) => read((await client.rpc(method, write(data))).data),
    token: ({ token }) => giveToken(token),
};

async function carryOut({ id, do: command, ...parameters }) {
    try {
        say({ id, result: await COMMANDS[command](parameters) });
    } catch ({ code, message }) {
        say({ id, error: { code, message } });
    }
}

createInterface({ input: process.stdin })
    .on('line', (line) => carryOut(JSON.parse(line)))
    .on('close', () => process.exit());

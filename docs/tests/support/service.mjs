// What a service of the pages must do: hold a link to each node, answer calls, survive bad ones, and connect again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';
import { ownGateway } from '../../../gateway/tests/sdk/support/gateway.mjs';
import { OwnRedis, redisSettings } from '../../../gateway/tests/sdk/support/redis.mjs';
import { eventually, within } from '../../../gateway/tests/sdk/support/wait.mjs';
import { ROOT, pathOf } from './blocks.mjs';
import { start } from './process.mjs';
import { localise, save } from './workspace.mjs';

const SERVICE = 'shout';
const REFUSALS = ['401 Unauthorized', '404 Not Found', '503 Service Unavailable'];
/** The longest wait for a service to connect again, in milliseconds. Its pauses are up to five seconds. */
const RECONNECT = 30_000;

/** Starts two gateways with the settings of the demo and those of the page. `front` is the address of the first one for services. */
async function cluster(t, settings, front) {
    const redis = await OwnRedis.start(t);
    const dev = readFileSync(join(ROOT, 'gateway/config/dev.toml'), 'utf8');
    const file = (name) => [dev, ...settings, redisSettings(redis.url, name)].join('\n');
    const nodes = await Promise.all([ownGateway(t, file('one'), { 'cluster.link_url': front.url.replace('http', 'ws') }), ownGateway(t, file('two'))]);
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    return nodes;
}

/** Starts a listener that refuses one upgrade with each status. After that it forwards every connection to the node that `forwardTo` names. */
async function refusing(t) {
    const refusals = [...REFUSALS];
    let target;
    const server = createServer((socket) => {
        socket.on('error', () => {});
        const status = refusals.shift();
        if (status) {
            socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`));
            return;
        }
        const forwarded = connect(target.port, target.hostname).on('error', () => socket.destroy());
        socket.pipe(forwarded).pipe(socket);
        t.after(() => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const forwardTo = (node) => (target = new URL(node.api));
    return { url: `http://127.0.0.1:${server.address().port}`, refusals, forwardTo };
}

/** Calls the service as a frontend of this node does. Resolves to the data of the reply, or to the error. */
async function call(node, data) {
    const client = new Centrifuge(node.websocket, { websocket: WebSocket });
    client.connect();
    try {
        return (await client.rpc(`${SERVICE}.say`, data)).data;
    } catch (error) {
        return error;
    } finally {
        client.disconnect();
    }
}

/** Calls the service with JSON that JavaScript does not write. Resolves to the reply of the gateway. */
async function callWith(t, node, json) {
    const socket = new WebSocket(node.websocket);
    t.after(() => socket.terminate());
    await once(socket, 'open');
    const replied = new Promise((resolve) => {
        socket.on('message', (text) => {
            for (const reply of String(text).split('\n').map((line) => JSON.parse(line))) if (reply.id === 2) resolve(reply);
        });
    });
    socket.send(`{"id":1,"connect":{}}\n{"id":2,"rpc":{"method":"${SERVICE}.say","data":${json}}}`);
    return within(replied, 'the reply');
}

const isLinked = async (node) => {
    const { services } = await node.ask('GET', '/v1/services');
    return services.find(({ service }) => service === SERVICE)?.instances.length > 0;
};

/** Waits until the service has a link to the node. */
const linked = (node, running) =>
    eventually(
        () => {
            if (running.hasEnded) throw new Error(`the service ended:\n${running.output}${running.errors}`);
            return isLinked(node);
        },
        () => `a link of the service:\n${running.errors}`,
        RECONNECT,
    );

/** Runs a block that starts a service, and checks what the page promises. */
export async function checkService(t, block, { folder, settings, programs }) {
    const front = await refusing(t);
    const nodes = await cluster(t, settings, front);
    front.forwardTo(nodes[0]);
    const addresses = { 8001: front.url };
    for (const program of programs) save(folder, pathOf(program), localise(program.text, addresses));
    // The command of an example in Rust takes the address as its argument; a program contains it.
    const commands = localise(block.text, addresses) + (block.text.includes('--example') ? ` ${front.url.replace('http', 'ws')}` : '');
    const running = start(commands, { folder });
    t.after(() => running.stop());

    for (const node of nodes) await linked(node, running);
    assert.deepEqual(front.refusals, [], 'the service connects again after each refused upgrade');
    for (const node of nodes) assert.deepEqual(await call(node, { text: 'hi' }), { text: 'HI' });

    for (const bad of [{}, { text: 7 }, 'hi', null, []]) {
        for (const node of nodes) assert.equal((await call(node, bad)).code, 400, `${JSON.stringify(bad)} is answered with an error`);
    }
    const manyDigits = `{"text":${'1'.repeat(5000)}}`;
    assert.equal((await callWith(t, nodes[0], manyDigits)).error?.code, 400, 'a number of 5000 digits is answered with an error');
    for (const node of nodes) assert.deepEqual(await call(node, { text: 'hi' }), { text: 'HI' }, 'the service lives on after a bad call');

    await nodes[1].kill();
    assert.deepEqual(await call(nodes[0], { text: 'hi' }), { text: 'HI' }, 'the other node still has its link');
    await nodes[1].restart();
    await linked(nodes[1], running);
    assert.deepEqual(await call(nodes[1], { text: 'again' }), { text: 'AGAIN' });
    assert.ok(!running.hasEnded, running.errors);
    if (block.text.includes('--example')) assert.equal(await within(running.stop('SIGTERM'), 'the end of the service'), 0, 'the client drains on SIGTERM');
}

// The stack started by podman-compose, and what its users rely on. Run by `just test-deploy compose`.

import assert from 'node:assert/strict';
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../testing/processes.mjs';
import { ask, connect, installSdk } from './client.mjs';
import { allHealthy, inside, startEngine } from './engine.mjs';
import { SERVICES, SITE, stackOf } from './stack.mjs';
import { makeSecrets, seconds, secretsIn } from './testing.mjs';

if (inside(import.meta.filename, installSdk)) {
  const engine = startEngine();
  const it = stackOf(engine, ['compose.yaml'], { HOSTS: 'localhost' });
  const { ca } = it;
  let alice;

  before(async () => {
    await it.compose('up', '-d');
    await allHealthy(engine, SERVICES.map(it.container));
    alice = await connect(SITE, { token: it.token('alice'), ca });
  });

  test('programs run without rights, on a read-only root', () => {
    for (const name of SERVICES) {
      const { State, HostConfig } = engine.inspect(it.container(name));
      const status = readFileSync(`/proc/${State.Pid}/status`, 'utf8');
      const field = (key) => new RegExp(`^${key}:\\s*(\\S+)`, 'm').exec(status)[1];
      assert.equal(HostConfig.ReadonlyRootfs, true, name);
      assert.equal(field('NoNewPrivs'), '1', name);
      assert.equal(field('Uid'), { redis: '999', proxy: '0' }[name] ?? '10001', name);
      const bind = 1n << 10n;
      assert.equal(BigInt(`0x${field('CapEff')}`) & ~(name === 'proxy' ? bind : 0n), 0n, name);
      assert.match(readFileSync(`/proc/${State.Pid}/limits`, 'utf8'), /^Max open files +10000 +10000 /m, name);
    }
  });

  test('only the proxy is published, and it does not reach the internal listeners', async () => {
    const published = SERVICES.flatMap((name) => Object.values(engine.inspect(it.container(name)).HostConfig.PortBindings ?? {}).flat().map(({ HostPort }) => [name, HostPort]));
    assert.deepEqual(published.sort(), [['proxy', '443'], ['proxy', '80']]);
    const get = (url, ...options) => engine.tryPodman('exec', it.container('proxy'), 'wget', '-q', '-T', '2', '-t', '1', '-O', '-', ...options, url);
    const named = get('http://gateway-1:8000/livez', '--header', 'Host: localhost');
    assert.equal(named.status, 0, named.stderr);
    assert.match(get('http://gateway-1:8000/livez', '-S').stderr, / 421 /, 'a name that is not in HOSTS');
    for (const url of ['http://gateway-1:8001/livez', 'http://172.30.81.11:8001/livez', 'http://gateway-2:8001/livez', 'http://redis:6379/']) assert.notEqual(get(url).status, 0, url);
  });

  test('plain HTTP is redirected', async () => {
    const { status, headers } = await fetch('http://localhost/', { redirect: 'manual' });
    assert.equal(status, 308);
    assert.equal(headers.get('location'), 'https://localhost/');
  });

  test('there is no demo, and nobody connects without a token or from another site', async () => {
    assert.equal((await ask(`${SITE}/`, { ca })).status, 404);
    assert.equal((await ask(`${SITE}/demo/token`, { ca, method: 'POST', body: '{"user":"eve"}', headers: { 'content-type': 'application/json' } })).status, 404);
    const upgrade = (origin) => ask(`${SITE}/connection/websocket`, { ca, headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', origin } });
    assert.equal((await upgrade('https://evil.example')).status, 403);
    const { status, socket } = await upgrade(SITE);
    assert.equal(status, 101);
    socket.destroy();
    await assert.rejects(connect(SITE, { token: 'no.to.ken', ca }));
  });

  test('a publication by REST reaches a page', async () => {
    const news = await alice.subscribe('news:world');
    await it.publish('gateway-1', 'news:world', { headline: 'one' });
    await it.publish('gateway-2', 'news:world', { headline: 'two' });
    await until('the news', () => news.length === 2);
    assert.deepEqual(news, [{ headline: 'one' }, { headline: 'two' }]);
  });

  test('the bot answers a call', async () => {
    const room = await alice.subscribe('chat:lobby');
    await alice.client.rpc('chatbot.say', { channel: 'chat:lobby', text: 'help' });
    await until('the answer', () => room.some(({ kind, from }) => kind === 'message' && from === 'bot'));
    assert(room.some(({ from, text }) => from === 'alice' && text === 'help'));
  });

  test('an operator revokes a user, and another key may not', async () => {
    const bob = await connect(SITE, { token: it.token('bob'), ca });
    const revoke = (key) => fetch(`http://${it.address('gateway-2')}:8001/v1/revocations`, { method: 'POST', body: '{"user":"bob"}', headers: { authorization: `Bearer ${it.secret(key)}`, 'content-type': 'application/json' } });
    assert.equal((await revoke('notifier_api_key')).status, 403);
    const closed = new Promise((resolve) => bob.client.once('disconnected', ({ code }) => resolve(code)));
    assert.equal((await revoke('operator_api_key')).status, 200);
    assert.equal(await closed, 3503);
  });

  test('a notification arrives, with a key only', async () => {
    const body = { user: 'alice', title: 'Hello', body: 'from the test', level: 'info' };
    assert.equal((await it.notify(body, 'wrong')).status, 401);
    assert.equal((await it.notify(body)).status, 202);
    await until('the notification', () => alice.personal.some(({ title }) => title === 'Hello'));
  });

  test('the gateway sees the address of the client, and believes no forged one', async () => {
    const mallory = await connect(SITE, { token: it.token('mallory'), ca, headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6' } });
    const seen = await it.rest('gateway-1', `/v1/connections/${mallory.ids[0]}`);
    mallory.client.disconnect();
    // The first address of the network is this machine.
    assert.equal(seen.address, '172.30.80.1', JSON.stringify(seen));
  });

  test('a page resumes at the other gateway when its own is killed, and the engine starts that again', async () => {
    const [node, other] = await it.nodeOfTheClient();
    const news = await alice.subscribe('news:killed');
    const before = alice.ids.length;
    process.kill(engine.inspect(it.container(node)).State.Pid, 'SIGKILL');
    for (let n = 0; n < 5; n++) await it.publish(other, 'news:killed', { n });
    await alice.reconnected(before + 1);
    await until('the news', () => news.length === 5);
    assert.deepEqual(news.map(({ n }) => n), [0, 1, 2, 3, 4]);
    await allHealthy(engine, [it.container(node)]);
  });

  test('a gateway that stops takes less than stop_grace_period, and its pages lose nothing', async (t) => {
    const [node, other] = await it.nodeOfTheClient();
    const news = await alice.subscribe('news:stopped');
    const before = alice.ids.length;
    const began = Date.now();
    const stopped = it.compose('stop', node);
    let n = 0;
    for (const end = Date.now() + 5_000; Date.now() < end; await sleep(100)) await it.publish(other, 'news:stopped', { n: n++ });
    await stopped;
    const took = (Date.now() - began) / 1000;
    t.diagnostic(`${node} took ${took.toFixed(1)} s`);
    assert(took < seconds(it.model.services[node].stop_grace_period) - 10, `${took} s`);
    assert(took > 10, 'drain.delay did not pass');
    assert.equal(engine.inspect(it.container(node)).State.ExitCode, 0);
    await alice.reconnected(before + 1);
    await until('the news', () => news.length === n);
    assert.deepEqual(news.map((each) => each.n), [...Array(n).keys()]);
    await it.compose('start', node);
    await allHealthy(engine, [it.container(node)]);
  });

  test('a restart of Redis keeps the histories', async () => {
    const { offset } = await it.publish('gateway-1', 'news:kept', { headline: 'kept' });
    await it.compose('restart', 'redis');
    await allHealthy(engine, ['redis', 'gateway-1', 'gateway-2'].map(it.container));
    const history = await it.rest('gateway-2', '/v1/channels/news:kept/publications');
    assert.deepEqual(history.publications.map(({ data }) => data), [{ headline: 'kept' }]);
    assert.equal(history.offset, offset);
  });

  test('a new certificate counts after a restart of the proxy', async () => {
    for (const name of ['tls_certificate', 'tls_key']) unlinkSync(join(it.secrets, name));
    makeSecrets(it.secrets);
    await it.compose('restart', 'proxy');
    await allHealthy(engine, [it.container('proxy')]);
    await assert.rejects(ask(`${SITE}/readyz`, { ca }), /self-signed|verify/);
    assert.equal((await ask(`${SITE}/readyz`, { ca: it.secret('tls_certificate') })).status, 200);
    // The client of the SDK knows the old one only.
    alice.client.disconnect();
    alice = await connect(SITE, { token: it.token('alice'), ca: it.secret('tls_certificate') });
  });

  test('secrets are in no process list, description or log', () => {
    const words = secretsIn(it.secrets);
    assert(words.length > 8);
    const check = (what, text) => {
      for (const word of words) assert(!text.includes(word), `${what} has a secret`);
    };
    for (const name of SERVICES) {
      const { Pid } = engine.inspect(it.container(name)).State;
      for (const file of ['cmdline', 'environ']) check(`${file} of ${name}`, readFileSync(`/proc/${Pid}/${file}`, 'latin1'));
    }
    for (const name of SERVICES) {
      check(`inspect ${name}`, engine.podman('inspect', it.container(name)));
      const { stdout, stderr } = engine.tryPodman('logs', it.container(name));
      assert(stdout + stderr, `${name} has logged nothing`);
      check(`the log of ${name}`, stdout + stderr);
    }
  });

  test('without a file of the stack nothing starts, and the message has its path', async () => {
    alice.client.disconnect();
    await it.compose('down', '-v', '-t', '1');
    for (const [variables, path] of [[{ SECRETS: '/nowhere' }, '/nowhere/redis_users'], [{ SECRETS: it.secrets, GATEWAY_SETTINGS: '/nowhere/gateway.toml' }, '/nowhere/gateway.toml']]) {
      const broken = stackOf(engine, ['compose.yaml'], variables);
      const { status, text } = await broken.run('up', '-d');
      await broken.run('down', '-v', '-t', '1');
      assert.notEqual(status, 0);
      assert(text.includes(path) && /no such file|does not exist/.test(text), text);
    }
  });

  after(async () => {
    alice?.client.disconnect();
    await it.run('down', '-v', '-t', '1');
  });
}

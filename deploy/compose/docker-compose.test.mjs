// The stack started by Docker's Compose, with Podman behind Docker's interface: telemetry, the demo, published ports, an upgrade, a new start.
// Run by `just test-deploy compose`.

import assert from 'node:assert/strict';
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../testing/processes.mjs';
import { ask, connect, installSdk } from './client.mjs';
import { addTelemetry, allHealthy, inside, serveDocker, startEngine } from './engine.mjs';
import { SERVICES, stackOf } from './stack.mjs';
import { collector, makeSecrets } from './testing.mjs';

const install = () => {
  installSdk();
  collector();
};

if (inside(import.meta.filename, install)) {
  const engine = startEngine();
  addTelemetry(engine);
  const docker = await serveDocker(engine);
  const SITE = 'https://localhost:8443';
  // A short drain, so that an upgrade takes seconds.
  const variables = { HTTPS_PORT: '127.0.0.1:8443', HTTP_PORT: '127.0.0.1:8080', PUBLIC_URL: SITE, PROXY_TLS: 'internal', DEMO: 'true', ALLOW_INSECURE: 'demo', TRACE_RATIO: '1', DRAIN_DELAY: '5s', DRAIN_WINDOW: '1s', DRAIN_DEADLINE: '10s', STOP_GRACE_PERIOD: '30s' };
  const it = stackOf(engine, ['compose.yaml', 'compose.local.yaml', 'compose.telemetry.yaml'], variables, docker.address);
  let ca;
  const containers = [...SERVICES, 'prometheus'].map(it.container);

  /** Starts with health checks running, for which Compose waits. */
  async function up(...args) {
    let ready = false;
    const started = it.compose('up', '-d', '--no-build', ...args).finally(() => (ready = true));
    while (!ready) {
      for (const container of containers) engine.healthy(container);
      await Promise.race([sleep(500), started]);
    }
    await started;
    await allHealthy(engine, containers);
  }

  before(async () => {
    await up();
    const volume = engine.podman('volume', 'inspect', '--format', '{{.Mountpoint}}', 'switchboard_caddy');
    ca = readFileSync(join(volume, 'caddy/pki/authorities/local/root.crt'));
  });

  test('the demo page signs in, and the bot answers it', async () => {
    const page = await ask(`${SITE}/`, { ca });
    assert.equal(page.status, 200);
    assert.match(page.body, /<title>/);
    const { status, body } = await ask(`${SITE}/demo/token`, { ca, method: 'POST', body: '{"user":"carol"}', headers: { 'content-type': 'application/json', origin: SITE } });
    assert.equal(status, 200, body);
    const carol = await connect(SITE, { token: JSON.parse(body).token, ca });
    const [room] = [await carol.subscribe('chat:lobby'), await carol.subscribe('news:world')];
    await carol.client.rpc('chatbot.say', { channel: 'chat:lobby', text: 'help' });
    await until('the answer', () => room.some(({ kind, from }) => kind === 'message' && from === 'bot'));
    carol.client.disconnect();
    // Both nodes have one address, so the page offers none to move to.
    const { nodes } = JSON.parse((await ask(`${SITE}/demo/nodes`, { ca })).body);
    assert.deepEqual(nodes.map(({ url }) => url), [SITE, SITE]);
  });

  test('the internal listeners are published on this machine', async () => {
    for (const port of [8001, 8011]) {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/nodes`, { headers: { authorization: `Bearer ${it.secret('operator_api_key')}` } });
      assert.deepEqual((await answer.json()).nodes.map(({ name }) => name).sort(), ['gateway-1', 'gateway-2']);
    }
    assert.equal((await fetch('http://127.0.0.1:8200/readyz')).status, 200);
  });

  test('Prometheus reads all programs', async () => {
    const targets = async () => (await (await fetch('http://127.0.0.1:9090/api/v1/targets')).json()).data.activeTargets;
    await until('a read of all', async () => (await targets()).filter(({ health }) => health === 'up').length === 4, 40_000).catch(async () => assert.fail(JSON.stringify(await targets())));
    assert.deepEqual((await targets()).map(({ labels }) => labels.instance).sort(), ['chatbot-backend:8100', 'gateway-1:8001', 'gateway-2:8001', 'notifier-backend:8200']);
    const { data } = await (await fetch('http://127.0.0.1:9090/api/v1/query?query=switchboard_connections_open')).json();
    assert.equal(data.result.length, 2);
  });

  test('the collector gets traces and metrics', async () => {
    const log = () => engine.tryPodman('logs', it.container('collector'));
    await until('traces', () => /Traces.*"spans": [1-9]/.test(log().stdout + log().stderr), 40_000).catch(() => assert.fail(log().stdout + log().stderr));
    await until('metrics', () => /Metrics.*"data points": [1-9]/.test(log().stdout + log().stderr), 90_000);
    const complaint = /^\{[^{]*"level":"(WARN|ERROR)".*(export|otlp).*$/im;
    for (const name of SERVICES) assert.equal(complaint.exec(engine.tryPodman('logs', it.container(name)).stderr)?.[0], undefined, name);
  });

  test('an upgrade node by node loses nothing', async () => {
    const dora = await connect(SITE, { token: it.token('dora'), ca });
    const news = await dora.subscribe('news:upgrade');
    let n = 0;
    for (const [name, other] of [['gateway-1', 'gateway-2'], ['gateway-2', 'gateway-1']]) {
      let done = false;
      const upgraded = up('--no-deps', '--wait', '--force-recreate', name).finally(() => (done = true));
      while (!done) {
        await it.publish(other, 'news:upgrade', { n: n++ });
        await Promise.race([sleep(200), upgraded]);
      }
      await upgraded;
    }
    await until('the news', () => news.length === n);
    assert.deepEqual(news.map((each) => each.n), [...Array(n).keys()]);
    dora.client.disconnect();
  });

  test('after a new start the outbox, the history and the authority of the certificates are there', async () => {
    await it.publish('gateway-1', 'news:kept', { headline: 'kept' });
    const answer = await it.notify({ user: 'erin', title: 'Later', body: 'for somebody who is away', level: 'info' });
    assert.equal(answer.status, 202);
    const { id } = await answer.json();
    await it.compose('down');
    await up();
    const { publications } = await it.rest('gateway-2', '/v1/channels/news:kept/publications');
    assert.deepEqual(publications.map(({ data }) => data), [{ headline: 'kept' }]);
    const stored = await fetch(`http://127.0.0.1:8200/v1/notifications/${id}`, { headers: { authorization: `Bearer ${it.secret('notifier_callers')}` } });
    assert.equal(stored.status, 200);
    const erin = await connect(SITE, { token: it.token('erin'), ca });
    const { publications: personal } = await erin.client.history('#erin', { limit: 10 });
    assert.deepEqual(personal.map(({ data }) => data.title), ['Later']);
    erin.client.disconnect();
  });

  test('a missing secret is named, and make-secrets makes it again', async () => {
    await it.compose('down', '-v', '-t', '1');
    const file = join(it.secrets, 'api_keys');
    const content = readFileSync(file, 'utf8');
    unlinkSync(file);
    const { text } = await it.run('up', '-d', '--no-build', '--no-deps', 'gateway-1');
    assert.match(text, /secret file \S*api_keys does not exist/);
    // Podman makes a folder in its place; then the gateway says so.
    await until('the message', () => /api_keys_file: "\/run\/secrets\/api_keys" is a directory/.test(engine.tryPodman('logs', it.container('gateway-1')).stderr));
    await it.compose('down', '-v', '-t', '1');
    makeSecrets(it.secrets);
    assert.equal(readFileSync(file, 'utf8'), content);
  });

  after(async () => {
    await it.run('down', '-v', '-t', '1');
    await docker.stop();
  });
}

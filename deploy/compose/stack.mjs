// A stack in the containers of an engine, started by one of the two Compose programs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../testing/processes.mjs';
import { COMPOSE, FOLDER, PODMAN_COMPOSE, config, makeSecrets } from './testing.mjs';

export const SITE = 'https://localhost';
export const SERVICES = ['redis', 'gateway-1', 'gateway-2', 'proxy', 'chatbot-backend', 'notifier-backend'];

/** Podman's address of Docker's interface is given: Compose. Otherwise podman-compose. */
export function stackOf(engine, files, variables, docker) {
  const secrets = join(engine.folder, 'secrets');
  makeSecrets(secrets);
  const secret = (name) => readFileSync(join(secrets, name), 'utf8').trim();
  const dotenv = join(engine.folder, '.env');
  const all = { SECRETS: secrets, NOFILE: '10000', MAX_CONNECTIONS: '500', ...variables };
  writeFileSync(dotenv, Object.entries(all).map(([key, value]) => `${key}=${value}\n`).join(''));

  const [program, env, separator] = docker ? [COMPOSE, { ...engine.env, DOCKER_HOST: docker }, '-'] : [PODMAN_COMPOSE, engine.env, '_'];
  const flags = ['--env-file', dotenv, ...files.flatMap((file) => ['-f', join(FOLDER, file)])];
  const container = (service) => `switchboard${separator}${service}${separator}1`;
  const address = (service) => engine.inspect(container(service)).NetworkSettings.Networks.switchboard_back.IPAddress;
  /** Runs Compose. Returns the status and what it says. */
  async function run(...args) {
    const child = spawn(program, [...flags, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const output of [child.stdout, child.stderr]) output.on('data', (part) => (text += part));
    return { status: await new Promise((resolve) => child.once('close', resolve)), text };
  }
  async function compose(...args) {
    const { status, text } = await run(...args);
    assert.equal(status, 0, text);
    return text;
  }
  /** Asks a gateway's internal listener, from this machine, as an operator. */
  async function rest(service, path, options = {}) {
    const headers = { authorization: `Bearer ${secret('operator_api_key')}`, 'content-type': 'application/json' };
    const answer = await fetch(`http://${address(service)}:8001${path}`, { ...options, headers });
    assert(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  }
  async function open(service) {
    const metrics = await (await fetch(`http://${address(service)}:8001/metrics`)).text();
    return Number(/^switchboard_connections_open (\d+)$/m.exec(metrics)[1]);
  }
  return {
    secrets, secret, container, address, run, compose, rest,
    ca: secret('tls_certificate'),
    model: config(files, all),
    publish: (service, channel, data) => rest(service, `/v1/channels/${channel}/publications`, { method: 'POST', body: JSON.stringify({ data }) }),
    /** A token for a user, as the README makes one. */
    token: (user) => engine.podman('exec', container('gateway-1'), '/usr/local/bin/gateway', 'token', '--user', user, '--ttl', '1h'),
    notify: (body, key = secret('notifier_callers')) => fetch(`http://${address('notifier-backend')}:8200/v1/notifications`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` }, body: JSON.stringify(body),
    }),
    /** The gateway with the only connection, and the other one. */
    async nodeOfTheClient() {
      const both = ['gateway-1', 'gateway-2'];
      await until('one connection', async () => (await open('gateway-1')) + (await open('gateway-2')) === 1);
      return (await open('gateway-1')) ? both : both.reverse();
    },
  };
}

// The files as both Compose programs read them, and make-secrets. Run by `just test-deploy compose`.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ROOT } from '../testing/processes.mjs';
import { BIN, FOLDER, config, makeSecrets, podmanConfig, seconds, secretsIn } from './testing.mjs';

const folder = mkdtempSync(join(tmpdir(), 'compose-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const OURS = ['gateway-1', 'gateway-2', 'chatbot-backend', 'notifier-backend'];
const FILES = [['compose.yaml']];

/** Variants of .env. */
const VARIANTS = {
  'no variables': {},
  'the demo on other ports': { DEMO: 'true', HTTPS_PORT: '127.0.0.1:8443', HTTP_PORT: '127.0.0.1:8080', PUBLIC_URL: 'https://localhost:8443' },
  'a real site': { SITE_HOST: 'chat.example', PUBLIC_URL: 'https://chat.example', PROXY_TLS: 'admin@chat.example', ALLOWED_ORIGINS: 'https://app.example,https://*.app.example', TOKEN_AUDIENCE: 'chat', TOKEN_ISSUER: 'https://login.example' },
  'other networks and a registry': { FRONT_SUBNET: '10.9.0.0/24', BACK_PREFIX: '10.9.1', IMAGES: 'registry.example/switchboard', SWITCHBOARD_VERSION: '9.9.9' },
  'small': { MAX_CONNECTIONS: '500', NOFILE: '4096', REDIS_MAXMEMORY: '64mb', DRAIN_DELAY: '2s', DRAIN_WINDOW: '3s', DRAIN_DEADLINE: '5s', STOP_GRACE_PERIOD: '15s', LOG_FORMAT: 'text', LOG_LEVEL: 'warn' },
};

/** The paths of what the container sees, with those of this machine in their place. */
function localise(service, model) {
  const paths = [
    ...(service.volumes ?? []).filter(({ type }) => type === 'bind').map(({ target, source }) => [target, source]),
    ...(service.secrets ?? []).map(({ source, target }) => [target, model.secrets[source].file]),
  ];
  return (text) => paths.find(([target]) => target === text)?.[1] ?? text;
}

/** Runs a service's program with exactly its arguments and variables. */
function run(name, model, more = [], change = (environment) => environment) {
  const service = model.services[name];
  const local = localise(service, model);
  const program = service.image.replace(/.*\/|:.*/g, '');
  const environment = Object.fromEntries(Object.entries(service.environment).map(([key, value]) => [key, local(value)]));
  return spawnSync(join(BIN, program), [...(service.command ?? []).map(local), ...more], { encoding: 'utf8', env: change(environment) });
}

for (const [variant, variables] of Object.entries(VARIANTS)) {
  describe(variant, () => {
    const secrets = join(folder, 'secrets');
    makeSecrets(secrets);
    const model = config(FILES[0], { ...variables, SECRETS: secrets });

    for (const name of OURS) {
      test(`${name}: the program takes the settings of the file`, () => {
        const { status, stdout, stderr } = run(name, model, ['--check']);
        assert.equal(status, 0, stderr);
        for (const secret of secretsIn(secrets)) assert(!(stdout + stderr).includes(secret), 'a secret is shown');
      });

      test(`${name}: a variable that the program does not know is refused`, () => {
        const { status, stderr } = run(name, model, ['--check'], (environment) => ({ ...environment, [`${Object.keys(environment)[0]}X`]: '1' }));
        assert.notEqual(status, 0);
        assert.match(stderr, /unknown|not a setting/i);
      });
    }

    test('a gateway may take as long to stop as it drains', () => {
      for (const name of ['gateway-1', 'gateway-2']) {
        const { stdout } = run(name, model, ['--check']);
        const drain = /\[drain\]([^[]*)/.exec(stdout)[1];
        const [delay, deadline] = ['delay', 'deadline'].map((key) => seconds(new RegExp(`^${key} = "(.+)"`, 'm').exec(drain)[1]));
        const grace = seconds(model.services[name].stop_grace_period);
        assert(grace >= delay + deadline + 5, `${grace} s are not more than ${delay} s and ${deadline} s`);
      }
    });

    test('podman-compose reads the same', () => {
      const other = podmanConfig(FILES[0], { ...variables, SECRETS: secrets });
      for (const [name, service] of Object.entries(model.services)) {
        const twin = other.services[name];
        assert.deepEqual(twin.environment ?? {}, service.environment ?? {}, name);
        assert.deepEqual(twin.command ?? null, service.command ?? null, name);
        assert.equal(twin.image, service.image);
        assert.deepEqual(twin.healthcheck.test, service.healthcheck.test);
        assert.equal(seconds(twin.stop_grace_period), seconds(service.stop_grace_period));
      }
    });
  });
}

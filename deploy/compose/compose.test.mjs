// The files as both Compose programs read them, what the programs of the project make of them, and make-secrets. Run by
// `just test-deploy compose`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate, createHash, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { BIN, FOLDER, config, makeSecrets, podmanConfig, seconds, secretsIn } from './testing.mjs';

const folder = mkdtempSync(join(tmpdir(), 'compose-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const secrets = join(folder, 'secrets');
makeSecrets(secrets);

const OURS = ['gateway-1', 'gateway-2', 'chatbot-backend', 'notifier-backend'];
const BASE = ['compose.yaml'];
const ALL = ['compose.yaml', 'compose.local.yaml', 'compose.telemetry.yaml'];

/** Variants of .env. */
const VARIANTS = [
  ['no variables', BASE, {}],
  ['everything', ALL, {}],
  ['the demo on other ports', BASE, { DEMO: 'true', ALLOW_INSECURE: 'demo', HTTPS_PORT: '127.0.0.1:8443', HTTP_PORT: '127.0.0.1:8080', PUBLIC_URL: 'https://localhost:8443' }],
  ['a real site', BASE, { SITE_HOST: 'chat.example', PUBLIC_URL: 'https://chat.example', PROXY_TLS: 'admin@chat.example', ALLOWED_ORIGINS: 'https://app.example,https://*.app.example', HOSTS: 'chat.example', TOKEN_AUDIENCE: 'chat', TOKEN_ISSUER: 'https://login.example' }],
  ['other networks and a registry', ALL, { FRONT_PREFIX: '10.9.0', BACK_PREFIX: '10.9.1', IMAGES: 'registry.example/switchboard', SWITCHBOARD_VERSION: '9.9.9', OTLP_ENDPOINT: 'http://10.0.0.1:4318', TRACE_RATIO: '1' }],
  ['a small machine', BASE, { MAX_CONNECTIONS: '500', NOFILE: '4096', REDIS_MAXMEMORY: '64mb', DRAIN_DELAY: '5s', DRAIN_WINDOW: '3s', DRAIN_DEADLINE: '5s', STOP_GRACE_PERIOD: '20s', LOG_FORMAT: 'text', LOG_LEVEL: 'warn' }],
];

/** The paths of what the container sees, with those of this machine in their place. */
function localise(service, model) {
  const paths = [
    ...(service.volumes ?? []).filter(({ type }) => type === 'bind').map(({ target, source }) => [target, source]),
    ...(service.secrets ?? []).map(({ source, target }) => [target, model.secrets[source].file]),
  ];
  return (text) => paths.find(([target]) => target === text)?.[1] ?? text;
}

/** Runs a service's program with exactly its arguments and variables. `change` may change the variables. */
function check(name, model, change = (environment) => environment) {
  const service = model.services[name];
  const local = localise(service, model);
  const program = /([\w-]+):[\w.]+$/.exec(service.image)[1];
  const environment = Object.fromEntries(Object.entries(service.environment).map(([key, value]) => [key, local(value)]));
  return spawnSync(join(BIN, program), [...(service.command ?? []).map(local), '--check'], { encoding: 'utf8', env: change(environment) });
}

for (const [title, files, variables] of VARIANTS) {
  describe(title, () => {
    const model = config(files, { ...variables, SECRETS: secrets });

    for (const name of OURS) {
      test(`${name}: the program takes these settings`, () => {
        const { status, stdout, stderr } = check(name, model);
        assert.equal(status, 0, stderr);
        for (const secret of secretsIn(secrets)) assert(!(stdout + stderr).includes(secret), 'a secret is shown');
        const expected = variables.DEMO && name.startsWith('gateway') ? ['gateway: warning: demo.enabled: insecure'] : [];
        const warnings = stderr.split('\n').filter((line) => /warn/i.test(line));
        assert.deepEqual(warnings.map((line) => line.split(': ').slice(0, 4).join(': ')), expected, stderr);
      });

      test(`${name}: a variable that the program does not know is refused`, () => {
        for (const key of Object.keys(model.services[name].environment).filter((key) => model.services[name].environment[key])) {
          const { status, stderr } = check(name, model, ({ [key]: value, ...others }) => ({ ...others, [`${key}X`]: value }));
          assert.equal(status, 64, `${key}X: ${stderr}`);
        }
      });

      test(`${name}: a secret without its file is refused with the path and the cure`, () => {
        const variables = Object.entries(model.services[name].environment).filter(([key]) => key.endsWith('_FILE'));
        assert(variables.length > 0);
        for (const [key, path] of variables) {
          const { status, stderr } = check(name, model, (environment) => ({ ...environment, [key]: path }));
          assert.equal(status, 64);
          assert(stderr.includes(path), stderr);
          assert.match(stderr, /file/);
        }
      });
    }

    test('the settings are in effect', () => {
      const { stdout } = check('gateway-1', model);
      const value = (key) => new RegExp(`^${key.replace('.', '\\.')} = (.*)$`, 'm').exec(stdout)?.[1];
      assert.equal(value('demo.enabled'), String(variables.DEMO ?? false));
      assert.equal(value('tokens.anonymous'), 'false');
      assert.equal(value('node.core_dumps'), 'false');
      assert.equal(value('public.hosts'), variables.HOSTS ? `["${variables.HOSTS}"]` : '[]');
      assert.equal(value('broker.kind'), '"redis"');
      assert.equal(value('public.max_connections'), variables.MAX_CONNECTIONS ?? '100000');
      const proxy = model.services.proxy.networks.front.ipv4_address;
      assert.equal(proxy, `${variables.FRONT_PREFIX ?? '172.30.80'}.10`);
      assert.match(value('public.trusted_proxies'), new RegExp(`^\\["${proxy}(/32)?"\\]$`));
    });

    test('a gateway may take as long to stop as it drains', () => {
      for (const name of ['gateway-1', 'gateway-2']) {
        const { stdout } = check(name, model);
        const [delay, deadline] = ['delay', 'deadline'].map((key) => seconds(new RegExp(`^drain\\.${key} = "(.+)"$`, 'm').exec(stdout)[1]));
        const grace = seconds(model.services[name].stop_grace_period);
        assert(grace >= delay + deadline + 10, `${grace} s are too short for ${delay} s and ${deadline} s`);
      }
      for (const [name, key] of [['chatbot-backend', 'shutdown.drain_s'], ['notifier-backend', 'shutdown.drain_s']]) {
        const drain = Number(new RegExp(`^${key} = (\\d+)$`, 'm').exec(check(name, model).stdout)[1]);
        assert(seconds(model.services[name].stop_grace_period) >= drain + 10, name);
      }
    });

    test('every service is confined', () => {
      for (const [name, service] of Object.entries(model.services)) {
        assert.equal(service.read_only, true, name);
        assert.deepEqual(service.cap_drop, ['ALL'], name);
        assert.deepEqual(service.security_opt, ['no-new-privileges'], name);
        assert.equal(service.restart, 'unless-stopped', name);
        assert(service.logging.options['max-size'], name);
        if (name !== 'proxy') assert.match(service.user, /^[1-9]\d+:[1-9]\d+$/, name);
      }
    });

    test('only the proxy faces the network', () => {
      for (const [name, { ports = [] }] of Object.entries(model.services)) {
        for (const port of ports) if (name !== 'proxy') assert.equal(port.host_ip, '127.0.0.1', `${name}: ${port.published}`);
      }
      assert.equal(model.networks.back.internal, true);
      for (const name of ['redis', 'chatbot-backend']) assert.deepEqual(Object.keys(model.services[name].networks), ['back']);
      assert.deepEqual(Object.keys(model.services.proxy.networks), ['front']);
    });

    test('no secret is in what Compose prints', () => {
      for (const secret of secretsIn(secrets)) assert(!JSON.stringify(model).includes(secret));
    });

    test('podman-compose reads the same', () => {
      const other = podmanConfig(files, { ...variables, SECRETS: secrets });
      assert.deepEqual(Object.keys(other.services).sort(), Object.keys(model.services).sort());
      for (const [name, service] of Object.entries(model.services)) {
        const twin = other.services[name];
        assert.deepEqual(twin.environment ?? {}, service.environment ?? {}, name);
        assert.deepEqual(twin.command ?? null, service.command ?? null, name);
        assert.equal(twin.image, service.image, name);
        assert.deepEqual(twin.healthcheck?.test, service.healthcheck?.test, name);
        assert.equal(twin.stop_grace_period && seconds(twin.stop_grace_period), service.stop_grace_period && seconds(service.stop_grace_period), name);
        assert.deepEqual(Object.keys(twin.networks).sort(), Object.keys(service.networks).sort(), name);
        assert.equal((twin.ports ?? []).length, (service.ports ?? []).length, name);
      }
    });
  });
}

test('env.example has every variable with the default of the files', () => {
  const used = new Map();
  for (const file of readdirSync(FOLDER).filter((name) => /^compose.*\.yaml$/.test(name))) {
    for (const [, name, value] of readFileSync(join(FOLDER, file), 'utf8').matchAll(/\$\{(\w+):-([^}]*)\}/g)) {
      // The file for telemetry has a default of its own.
      if (name === 'OTLP_ENDPOINT' && value) continue;
      assert.equal(used.get(name) ?? value, value, `${name} has two defaults`);
      used.set(name, value);
    }
    assert(!/\$\{?\w+\}?(?![:\w])/.test(readFileSync(join(FOLDER, file), 'utf8').replaceAll(/\$\{\w+:-[^}]*\}/g, '')), `${file}: a variable has no default`);
  }
  const listed = new Map([...readFileSync(join(FOLDER, 'env.example'), 'utf8').matchAll(/^#(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  assert.equal(listed.get('COMPOSE_FILE'), 'compose.yaml');
  listed.delete('COMPOSE_FILE');
  assert.deepEqual([...listed].sort(), [...used].sort());
});

test('make-secrets makes what the files name, once', () => {
  const first = readdirSync(secrets).map((name) => [name, readFileSync(join(secrets, name), 'utf8')]);
  for (const { file } of Object.values(config(ALL, { SECRETS: secrets }).secrets)) assert(statSync(file).size > 0);
  assert.equal(statSync(secrets).mode & 0o777, 0o700);
  for (const [name, text] of first) {
    assert.equal(statSync(join(secrets, name)).mode & 0o777, 0o444, name);
    assert(!/^\s*$/.test(text), name);
  }
  makeSecrets(secrets);
  assert.deepEqual(readdirSync(secrets).map((name) => [name, readFileSync(join(secrets, name), 'utf8')]), first);

  const read = (name) => readFileSync(join(secrets, name), 'utf8').trim();
  assert.equal(read('redis_url'), `redis://switchboard:${read('redis_password')}@redis:6379`);
  assert(read('redis_users').includes(`#${createHash('sha256').update(read('redis_password')).digest('hex')} `));
  assert.deepEqual(read('api_keys').split('\n').map((line) => line.split(/[= ]/)[1]), ['chatbot', 'notifier', 'operator'].map((name) => read(`${name}_api_key`)));
  assert.equal(new Set(first.map(([, text]) => text)).size, first.length, 'two secrets are the same');
  const certificate = new X509Certificate(read('tls_certificate'));
  assert(certificate.checkPrivateKey(createPrivateKey(read('tls_key'))));
  assert.equal(certificate.checkHost('localhost'), 'localhost');
});

test('the user of Redis has the rights that the gateway names', () => {
  const { stdout } = spawnSync(join(BIN, 'gateway'), ['redis-acl', '--config', join(FOLDER, '../gateway.toml')], { encoding: 'utf8' });
  const rules = (text) => /^(?:ACL SETUSER|user) switchboard (.*)$/m.exec(text)[1].split(' ').filter((rule) => !/^(reset|on|resetchannels|-@all|[>#].*)$/.test(rule));
  const made = rules(readFileSync(join(secrets, 'redis_users'), 'utf8'));
  assert(made.length > 8);
  assert.deepEqual(made, rules(stdout));
});

test('a key of the operator may be known to the gateways by its hash', () => {
  const other = join(folder, 'hashed');
  makeSecrets(other);
  const file = join(other, 'api_keys');
  const key = readFileSync(join(other, 'operator_api_key'), 'utf8').trim();
  const text = readFileSync(file, 'utf8').replace(key, `sha256:${createHash('sha256').update(key).digest('hex')}`);
  rmSync(file);
  writeFileSync(file, text);
  const { status, stdout, stderr } = check('gateway-1', config(BASE, { SECRETS: other }));
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /^api_keys: "operator", which may do \["publish", .*"revoke", "queues", "admin"\]$/m);
});

test('make-secrets makes a lost file again from the others, and leaves half a certificate to its owner', () => {
  const other = join(folder, 'other');
  makeSecrets(other, 'chat.example');
  assert.equal(new X509Certificate(readFileSync(join(other, 'tls_certificate'))).checkHost('chat.example'), 'chat.example');
  const url = readFileSync(join(other, 'redis_url'), 'utf8');
  for (const name of ['redis_url', 'api_keys']) unlinkSync(join(other, name));
  makeSecrets(other);
  assert.equal(readFileSync(join(other, 'redis_url'), 'utf8'), url);
  // A new password does not fit the URL.
  unlinkSync(join(other, 'redis_password'));
  assert.throws(() => makeSecrets(other), /redis_url was made from another redis_password.*delete/s);
  for (const name of ['redis_url', 'redis_users']) unlinkSync(join(other, name));
  makeSecrets(other);
  unlinkSync(join(other, 'tls_key'));
  assert.throws(() => makeSecrets(other), /only one of tls_certificate and tls_key/);
});

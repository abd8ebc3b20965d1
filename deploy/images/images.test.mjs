// The images are built by buildah, which needs no daemon, and run by podman. Run by `just test-deploy images`.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, start, until } from '../testing/processes.mjs';
import { FOLDER, NAMES, build, copyProject, inspect, makeBuilder, mounted, removeStore, run } from './engine.mjs';
import { call } from './client.mjs';
import { nameServer } from './name-server.mjs';
import { HOST, POD, createNetwork, startContainer } from './pod.mjs';

const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const [, VERSION] = /version = "(.+?)"/.exec(read('Cargo.toml'));
const SYMBOLS = join(FOLDER, 'symbols');
const image = (name) => `localhost/switchboard/${name}:${VERSION}`;

const HEALTH = { Interval: 10e9, Timeout: 5e9, StartPeriod: 30e9 };
const CONTENT = {
  gateway: {
    title: 'Switchboard gateway',
    ports: ['8000/tcp', '8001/tcp'],
    variables: ['GATEWAY__INTERNAL__ADDRESS=0.0.0.0:8001', 'GATEWAY__PUBLIC__ADDRESS=0.0.0.0:8000'],
  },
  'chatbot-backend': { title: 'Switchboard chat bot', ports: ['8100/tcp'], variables: ['CHATBOT__HTTP__ADDRESS=0.0.0.0:8100'] },
  'notifier-backend': {
    title: 'Switchboard notifier',
    ports: ['8200/tcp'],
    variables: ['NOTIFIER__HTTP__ADDRESS=0.0.0.0:8200', 'NOTIFIER__OUTBOX__PATH=/var/lib/switchboard/notifier.sqlite'],
    volume: '/var/lib/switchboard',
  },
};

/** The files of an image with their types, as find prints them. */
const filesOf = (root) => run('find', [root, '-mindepth', '1', '-printf', '%y %m %U /%P\n']).split('\n').sort();

let removeNetwork;
before(async () => {
  await makeBuilder();
  await build(['--symbols', SYMBOLS]);
  removeNetwork = createNetwork();
});
after(() => {
  removeNetwork?.();
  removeStore();
});

test('the builder has the version of Rust that the project names', () => {
  const [, wanted] = /rust-version = "(.+?)"/.exec(read('Cargo.toml'));
  assert.match(read('deploy/images/Containerfile'), new RegExp(`^ARG BUILDER=rust:${wanted}-bookworm$`, 'm'));
  const [, channel] = /channel = "(.+?)"/.exec(read('rust-toolchain.toml'));
  assert(channel === 'stable' || channel.startsWith(wanted), `rust-toolchain.toml names ${channel}, Cargo.toml ${wanted}`);
});

test('all crates are sent to the build, and nothing else is', () => {
  const sent = read('deploy/images/Containerfile.dockerignore').match(/(?<=^!).+/gm);
  const [, members] = /members = (\[.+?\])/.exec(read('Cargo.toml'));
  const outside = JSON.parse(members).filter((member) => !sent.some((path) => `${member}/`.startsWith(`${path}/`)));
  assert.deepEqual(outside, []);
  // The folder of the whole project with secrets, results of builds and history.
  const folder = join(FOLDER, 'context');
  rmSync(folder, { recursive: true, force: true });
  for (const path of ['.git/config', 'target/run/log', 'gateway/target/x', 'web/tests/node_modules/x', '.env', 'deploy/compose/secrets/key', 'rust-toolchain.toml']) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), 'secret');
  }
  for (const path of ['Cargo.toml', 'gateway/src/main.rs', 'deploy/images/stubs', 'web/index.html', 'docs/examples/rust/shout.rs']) cpSync(join(ROOT, path), join(folder, path));
  writeFileSync(join(folder, 'Containerfile'), 'FROM scratch\nCOPY . /\n');
  run('buildah', ['build', '--file', join(folder, 'Containerfile'), '--ignorefile', join(ROOT, 'deploy/images/Containerfile.dockerignore'), '--tag=context', folder]);
  const files = mounted('localhost/context', (root) => run('find', [root, '-type', 'f', '-printf', '%P\n']).split('\n').sort());
  assert.deepEqual(files, ['Cargo.toml', 'deploy/images/stubs', 'docs/examples/rust/shout.rs', 'gateway/src/main.rs', 'web/index.html']);
});

test('dependencies are not built again when the code changes', async () => {
  const copy = copyProject('changed');
  writeFileSync(join(copy, 'gateway/src/main.rs'), `${read('gateway/src/main.rs')}\n// ${Date.now()}\n`);
  const output = await build(['--tag', 'dependencies', 'gateway'], { root: copy, options: ['--target=dependencies'] });
  assert.match(output, /RUN deploy\/images\/stubs(?!.*\n--> Using cache)/, 'the code is read again');
  assert.match(output, /RUN deploy\/images\/binaries \/tmp\/stubs\n--> Using cache/);
});

test('podman builds the same image', async () => {
  await build(['--tag', 'podman', 'gateway'], { engine: 'podman' });
  const [built, known] = ['podman', VERSION].map((tag) => inspect(`localhost/switchboard/gateway:${tag}`).FromImageID);
  assert.equal(built, known);
});

for (const name of NAMES) {
  describe(`the image of ${name}`, () => {
    const expected = CONTENT[name];
    const program = `/usr/local/bin/${name}`;

    test('has the program and what it needs', () => {
      const volume = expected.volume ? ['d 755 10001 /var/lib/switchboard'] : [];
      const folders = ['etc', 'etc/ssl', 'etc/ssl/certs', 'usr', 'usr/local', 'usr/local/bin', 'var', 'var/lib'];
      const files = ['etc/group', 'etc/nsswitch.conf', 'etc/os-release', 'etc/passwd', 'etc/ssl/certs/ca-certificates.crt'];
      mounted(image(name), (root) => {
        const wanted = [`f 755 0 ${program}`, ...volume, ...folders.map((path) => `d 755 0 /${path}`), ...files.map((path) => `f 644 0 /${path}`)];
        assert.deepEqual(filesOf(root), wanted.sort());
        const authorities = readFileSync(join(root, 'etc/ssl/certs/ca-certificates.crt'), 'utf8').match(/BEGIN CERTIFICATE/g);
        assert(authorities.length > 100, `${authorities.length} authorities`);
      });
    });

    test('is smaller than 25 MB', (t) => {
      const { Size: size } = JSON.parse(run('podman', ['image', 'inspect', image(name)]))[0];
      t.diagnostic(`${name}: ${(size / 1e6).toFixed(1)} MB`);
      assert(size < 25e6, `${size} bytes`);
    });

    test('has a static program whose symbols are apart', () => {
      mounted(image(name), (root) => {
        const file = join(root, program);
        assert.doesNotMatch(run('readelf', ['--wide', '--program-headers', file]), /INTERP/);
        const sections = run('readelf', ['--wide', '--sections', file]);
        assert.doesNotMatch(sections, /\.symtab|\.debug_(info|line|str)/);
        assert.match(sections, /\.gnu_debuglink/);
        assert.match(run('readelf', ['--string-dump=.gnu_debuglink', file]), new RegExp(`${name}\\.debug`));
        // The place of the function `main`, as for an address of a backtrace.
        const symbols = join(SYMBOLS, `${name}.debug`);
        const [, address] = new RegExp(`^(\\w+) t _ZN\\d+${name.replace('-', '_')}4main`, 'm').exec(run('nm', [symbols]));
        // It may begin with code of a function that the compiler moved into it, so the last place counts.
        const places = run('addr2line', ['-i', '-e', symbols, address]).trim().split('\n');
        assert.match(places.at(-1), new RegExp(`^/switchboard/${name}/src/main.rs:\\d+( |$)`));
        const id = (path) => /Build ID: (\w+)/.exec(run('readelf', ['--notes', path]))[1];
        assert.equal(id(file), id(symbols));
      });
    });

    test('has no path of the machine that built it', () => {
      mounted(image(name), (root) => {
        const text = readFileSync(join(root, program)).toString('latin1');
        for (const path of ['/source/gateway', '/source/shared-proto', '/source/target', '/usr/local/cargo', '/usr/local/lib/rustlib', '/root/']) assert(!text.includes(path), path);
        assert(text.includes('/cargo/registry/'), 'there are names of places, without the folders of the machine');
      });
    });

    test('says how it is run, and holds no secret', () => {
      const { Docker: docker, History: history } = inspect(image(name));
      const { Env, Labels, ...config } = docker.config;
      assert.deepEqual(config, {
        ...config,
        User: '10001:10001',
        StopSignal: 'SIGTERM',
        Entrypoint: [program],
        Cmd: [],
        ExposedPorts: Object.fromEntries(expected.ports.map((port) => [port, {}])),
        Volumes: expected.volume ? { [expected.volume]: {} } : config.Volumes,
        Healthcheck: { ...HEALTH, Test: ['CMD', program, 'health'] },
      });
      // Nothing else, and so no secret.
      assert.deepEqual(Env.filter((variable) => !variable.startsWith('PATH=')).sort(), expected.variables);
      delete Labels['io.buildah.version'];
      assert.deepEqual(Labels, {
        'org.opencontainers.image.title': expected.title,
        'org.opencontainers.image.version': VERSION,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      });
      assert.doesNotMatch(JSON.stringify(history), /key|secret|password|token/i);
    });

    test('prints its version', () => {
      const container = startContainer(image(name), ['--version']);
      try {
        assert.equal(container.wait(), 0);
        assert.match(container.log(), new RegExp(`^${name} ${VERSION.replaceAll('.', '\\.')}$`, 'm'));
      } finally {
        container.remove();
      }
    });
  });
}

describe('the containers', () => {
  const NAME = 'redis.example';
  const SECRETS = { hmac_secret: 'secret-of-tokens-4711-that-is-long-enough', api_keys: 'chatbot=key-of-chatbot-4711\nnotifier=key-of-notifier-4711\ntest=key-of-test-4711',
    redis_url: `redis://:password-4711@${NAME}:6379`, redis_tls_url: `rediss://:password-4711@${NAME}:6380`,
    chatbot_api_key: 'key-of-chatbot-4711', notifier_api_key: 'key-of-notifier-4711', notifier_callers: 'key-of-callers-4711' };
  const folder = join(FOLDER, 'containers');
  const path = (file) => join(folder, file);
  let names;
  let redis;

  /** Starts a container with the production's settings and secrets, which is removed after the test. */
  function container(t, name, secrets, options = [], args = []) {
    const mounts = secrets.map(([, secret]) => `--volume=${path(secret)}:/run/secrets/${secret}:ro`);
    const variables = secrets.map(([variable, secret]) => `--env=${variable}=/run/secrets/${secret}`);
    const started = startContainer(image(name), args, [...mounts, ...variables, ...options]);
    t.after(started.remove);
    return started;
  }

  function gateway(t, url = 'redis_url', options = []) {
    const secrets = [['GATEWAY__TOKENS__HMAC_SECRET_FILE', 'hmac_secret'], ['GATEWAY__API_KEYS_FILE', 'api_keys'], ['GATEWAY__REDIS__URL_FILE', url]];
    const settings = `--volume=${join(ROOT, 'deploy/gateway.toml')}:/etc/switchboard/gateway.toml:ro`;
    const drain = ['delay', 'window', 'deadline'].flatMap((key) => ['--set', `drain.${key}=${key === 'deadline' ? '1s' : '0s'}`]);
    return container(t, 'gateway', secrets, [settings, ...options], ['--config', '/etc/switchboard/gateway.toml', ...drain]);
  }

  function startRedis() {
    redis = start('redis-server', ['--bind', HOST, '--port', '6379', '--tls-port', '6380', '--tls-cert-file', path('redis.crt'), '--tls-key-file',
      path('redis.key'), '--tls-auth-clients', 'no', '--requirepass', 'password-4711', '--save', '', '--dir', folder]);
  }

  before(async () => {
    mkdirSync(folder, { recursive: true });
    for (const [secret, value] of Object.entries(SECRETS)) writeFileSync(path(secret), value);
    const openssl = (line) => run('openssl', line.split(' '), { cwd: folder });
    openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-authority -keyout authority.key -out authority');
    openssl(`req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis -addext subjectAltName=DNS:${NAME} -keyout redis.key -out redis.csr`);
    openssl('x509 -req -in redis.csr -CA authority -CAkey authority.key -days 2 -copy_extensions copy -out redis.crt');
    names = await nameServer(HOST, { [NAME]: HOST });
    startRedis();
  });
  after(async () => {
    await redis?.stop();
    names?.close();
  });

  test('a gateway finds Redis by a name, without rights and on a root that it cannot write', async (t) => {
    names.asked.clear();
    const it = gateway(t);
    await until('the health check', () => it.healthy());
    assert(names.asked.has(NAME), 'the name server is asked');
    // At the addresses that the image names, not only at the loopback.
    for (const port of [8000, 8001]) assert.equal((await fetch(`http://${POD}:${port}/readyz`)).status, 200);
    const status = it.proc('status');
    assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
    assert.match(status, /^Gid:\t10001\t10001\t10001\t10001$/m);
    for (const set of ['Prm', 'Eff', 'Bnd']) assert.match(status, new RegExp(`^Cap${set}:\t0+$`, 'm'));
    assert.match(it.proc('mountinfo'), /^\d+ \d+ \S+ \S+ \/ ro,/m);

    await redis.stop();
    await until('the health check without Redis', () => !it.healthy());
    startRedis();
    await until('the health check with Redis', () => it.healthy());
    assert.equal(it.stop(), 0);
  });

  test('a gateway finds Redis by a name of /etc/hosts', async (t) => {
    names.asked.clear();
    writeFileSync(path('other_url'), SECRETS.redis_url.replace(NAME, 'redis-of-hosts'));
    const it = gateway(t, 'other_url', [`--add-host=redis-of-hosts:${HOST}`]);
    await until('the health check', () => it.healthy());
    assert(!names.asked.has('redis-of-hosts'));
  });

  test('a gateway checks the certificate of Redis with the authorities of the image, or others', async (t) => {
    const own = gateway(t, 'redis_tls_url');
    await until('the refused certificate', () => /UnknownIssuer/.test(own.log()));
    assert(!own.healthy());
    own.remove();

    const bundle = mounted(image('gateway'), (root) => readFileSync(join(root, 'etc/ssl/certs/ca-certificates.crt'), 'utf8'));
    writeFileSync(path('bundle'), bundle + readFileSync(path('authority'), 'utf8'));
    const added = gateway(t, 'redis_tls_url', [`--volume=${path('bundle')}:/etc/ssl/certs/ca-certificates.crt:ro`]);
    await until('the health check with one more authority', () => added.healthy());
    added.remove();

    const file = gateway(t, 'redis_tls_url', [`--volume=${path('authority')}:/run/secrets/authority:ro`, '--env=GATEWAY__REDIS__CA_FILE=/run/secrets/authority']);
    await until('the health check with ca_file', () => file.healthy());
  });

  test('the chat bot and the notifier work with the gateway, and no secret shows', async (t) => {
    const volume = `outbox-${process.pid}`;
    const chatbot = () => container(t, 'chatbot-backend', [['CHATBOT__GATEWAY__API_KEY_FILE', 'chatbot_api_key']]);
    const notifier = () => container(t, 'notifier-backend', [['NOTIFIER__GATEWAY__API_KEY_FILE', 'notifier_api_key'],
      ['NOTIFIER__HTTP__API_KEYS_FILE', 'notifier_callers']], [`--volume=${volume}:/var/lib/switchboard`]);
    const services = [chatbot(), notifier()];
    t.after(() => run('podman', ['volume', 'rm', '--force', volume]));
    for (const port of [8100, 8200]) await until('the listener', async () => (await fetch(`http://${POD}:${port}/livez`).catch(() => undefined))?.ok);
    // Without a gateway the chat bot has no work, but the notifier accepts notifications.
    assert.deepEqual(services.map((service) => service.healthy()), [false, true]);
    const { Pid: notifierProcess } = services[1].inspect().State;
    process.kill(notifierProcess, 'SIGSTOP');
    assert(!services[1].healthy(), 'it does not answer');
    process.kill(notifierProcess, 'SIGCONT');
    const node = gateway(t);
    for (const service of [node, ...services]) await until('the health check', () => service.healthy());

    const authorization = { authorization: 'Bearer key-of-callers-4711', 'content-type': 'application/json' };
    const accepted = await fetch(`http://${POD}:8200/v1/notifications`, { method: 'POST', headers: authorization, body: '{"user":"alice","title":"Hello"}' });
    assert.equal(accepted.status, 202);
    const { id } = await accepted.json();
    const history = async (channel) => {
      const answer = await fetch(`http://${POD}:8001/v1/channels/${encodeURIComponent(channel)}/publications`, { headers: { authorization: 'Bearer key-of-test-4711' } });
      return (await answer.json()).publications.map(({ data }) => data);
    };
    await until('the notification', async () => (await history('#alice')).some((data) => data.id === id));

    const token = node.exec('/usr/local/bin/gateway', 'token', '--config', '/etc/switchboard/gateway.toml', '--user', 'alice');
    const reply = await call(`http://${POD}:8000`, token, 'chatbot.say', { channel: 'chat:lobby', text: 'help' });
    assert(reply.rpc, JSON.stringify(reply));
    await until('the answer of the bot', async () => (await history('chat:lobby')).some((data) => data.kind === 'message' && data.from === 'bot'));

    const checked = node.exec('/usr/local/bin/gateway', '--config', '/etc/switchboard/gateway.toml', '--check');
    const shown = [checked, ...[node, ...services].flatMap((each) => [each.proc('cmdline'), each.proc('environ'), each.log(), JSON.stringify(each.inspect())])];
    for (const text of shown) assert.doesNotMatch(text, /4711/);

    // Another container finds the outbox of the one before.
    const [, first] = services;
    assert.equal(first.stop(), 0);
    first.remove();
    const second = notifier();
    await until('the second notifier', () => second.healthy());
    // The connections of before are broken.
    const kept = async () => (await fetch(`http://${POD}:8200/v1/notifications/${id}`, { headers: authorization }).catch(() => undefined))?.status;
    await until('the notification of before', async () => (await kept()) === 200);
    assert.equal(second.stop(), 0);
  });
});

// The proxies with the configurations of this folder, changed for a test: ports, certificates, limits of descriptors, and times of a reload.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, freePort, start, until } from '../testing/processes.mjs';
import { HOST, open } from './sockets.mjs';

const FOLDER = join(ROOT, 'deploy/proxies');
const run = promisify(execFile);
/** How long a proxy keeps old connections after a reload, in a test. */
const BOUND_S = 2;

/** The path of a proxy that is not in Debian. It is installed here, before a test waits for anything. */
const tool = (name) => execFileSync(join(FOLDER, 'tool'), [name], { encoding: 'utf8' }).trim();
const [ENVOY, TRAEFIK] = [tool('envoy'), tool('traefik')];

/** Replaces text that must be there, so that a changed configuration cannot escape its test. */
function replaced(text, changes) {
  return Object.entries(changes).reduce((done, [before, after]) => {
    assert(done.includes(before), `the configuration has ${before}`);
    return done.replaceAll(before, after);
  }, text);
}

const certificates = (path) => ({ '/etc/ssl/chat.example.crt': path('crt'), '/etc/ssl/chat.example.key': path('key') });

function haproxy(name, file, header) {
  const v1 = header === 'send-proxy' ? { 'send-proxy-v2': header } : {};
  return {
    name,
    file,
    program: 'haproxy',
    settings: header ? ['public.proxy_protocol=true'] : [],
    isVariant: Boolean(header),
    write: (text, { port, path }) => replaced(text, {
      ...v1, 'bind :443': `bind 127.0.0.1:${port}`, '/etc/ssl/chat.example.pem': path('pem'), 'maxconn 100000': 'maxconn 9000', 'hard-stop-after 5m': `hard-stop-after ${BOUND_S}s`,
    }),
    keepsFor: BOUND_S,
    arguments: ({ written }) => ['-W', '-db', '-f', written],
    reload: ({ running }) => running.child.kill('SIGUSR2'),
  };
}

function envoy(name, file, header) {
  return {
    name,
    file,
    program: ENVOY,
    settings: header ? ['public.proxy_protocol=true'] : [],
    isVariant: Boolean(header),
    write: (text, { port, path }) => replaced(text, {
      ...certificates(path), ...(header && { 'version: V2': `version: ${header}` }), 'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${port}`,
    }),
    keepsFor: BOUND_S,
    arguments: ({ written, path, epoch }) => ['-c', written, '--log-level', 'warning', '--drain-time-s', '1', '--parent-shutdown-time-s', String(BOUND_S), '--restart-epoch', String(epoch),
      ...(epoch ? ['--base-id', readFileSync(path('base-id'), 'utf8').trim()] : ['--use-dynamic-base-id', '--base-id-path', path('base-id')])],
    // A hot restart: the next process takes over the listeners.
    reload: (proxy) => proxy.startNext(),
  };
}

/**
 * Each proxy: its file and how `write` changes it, the program and its arguments, the settings that the gateways need, and what a reload is. Old WebSockets are
 * kept for `keepsFor` seconds after a reload. `isVariant`: a reload is tried with another entry.
 */
export const PROXIES = [
  {
    name: 'nginx',
    file: 'nginx.conf',
    program: 'nginx',
    write(text, { port, path }) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${path(each)};`).join(' ');
      const changed = replaced(text, {
        ...certificates(path), 'listen 443 ssl': `listen 127.0.0.1:${port} ssl`, 'http {': `http {\n    access_log off; ${temporary}`,
        'worker_rlimit_nofile 200000': 'worker_rlimit_nofile 20000', 'worker_connections 100000': 'worker_connections 9000', 'worker_shutdown_timeout 5m': `worker_shutdown_timeout ${BOUND_S}s`,
      });
      return `daemon off; pid ${path('nginx.pid')}; error_log stderr;\n${changed}`;
    },
    keepsFor: BOUND_S,
    arguments: ({ written, path }) => ['-p', path('.'), '-c', written],
    reload: ({ written, path }) => run('nginx', ['-p', path('.'), '-c', written, '-s', 'reload']),
  },
  haproxy('HAProxy', 'haproxy.cfg'),
  haproxy('HAProxy without HTTP, PROXY protocol 2', 'haproxy-tcp.cfg', 'send-proxy-v2'),
  haproxy('HAProxy without HTTP, PROXY protocol 1', 'haproxy-tcp.cfg', 'send-proxy'),
  {
    name: 'Caddy',
    file: 'Caddyfile',
    program: 'caddy',
    write: (text, { port, path }) => `{\n\tadmin unix/${path('caddy.sock')}\n\tauto_https disable_redirects\n}\n`
      + replaced(text, { 'chat.example {': `${HOST}:${port} {\n\tbind 127.0.0.1\n\ttls ${path('crt')} ${path('key')}` }),
    keepsFor: 0,
    arguments: ({ written }) => ['run', '--config', written, '--adapter', 'caddyfile'],
    // Without --force Caddy ignores a configuration that has not changed.
    reload: ({ written, path }) => run('caddy', ['reload', '--force', '--config', written, '--adapter', 'caddyfile', '--address', `unix/${path('caddy.sock')}`]),
  },
  envoy('Envoy', 'envoy.yaml'),
  envoy('Envoy without HTTP, PROXY protocol 2', 'envoy-tcp.yaml', 'V2'),
  envoy('Envoy without HTTP, PROXY protocol 1', 'envoy-tcp.yaml', 'V1'),
  {
    name: 'Traefik',
    file: 'traefik.yaml',
    program: TRAEFIK,
    more: { 'traefik-switchboard.yaml': (text, { path }) => replaced(text, certificates(path)) },
    write: (text, { port, path }) => replaced(text, { '":443"': `127.0.0.1:${port}`, '/etc/traefik/switchboard.yaml': path('traefik-switchboard.yaml') }),
    keepsFor: 1,
    arguments: ({ written }) => [`--configFile=${written}`],
    // Traefik watches its dynamic configuration.
    change: async ({ path }) => appendFileSync(path('traefik-switchboard.yaml'), '  options: { default: { minVersion: VersionTLS13 } }\n'),
    // Only a restart reads the static configuration.
    async reload(proxy) {
      proxy.running.child.kill('SIGTERM');
      await proxy.running.ended;
      proxy.begin();
    },
  },
];

/** A proxy in front of two gateways. */
class Proxy {
  #folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  #processes = [];

  constructor(description, port) {
    Object.assign(this, { description, port, epoch: 0, path: (name) => join(this.#folder, name) });
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', this.path('key'), '-out', this.path('crt'),
      '-days', '2', '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`], { stdio: 'ignore' });
    this.ca = readFileSync(this.path('crt'), 'utf8');
    writeFileSync(this.path('pem'), this.ca + readFileSync(this.path('key'), 'utf8'));
    this.written = this.path(description.file);
  }

  get log() {
    return this.#processes.map(({ log }) => log).join('');
  }

  /** The newest process. */
  get running() {
    return this.#processes.at(-1);
  }

  begin() {
    const home = this.path('.');
    const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home };
    this.#processes.push(start(this.description.program, this.description.arguments(this), env, { detached: true }));
  }

  /** Starts the process that takes over from the present one. */
  startNext() {
    this.epoch += 1;
    this.begin();
  }

  /** Reloads the configuration, as an operator does. */
  reload() {
    return this.description.reload(this);
  }

  /** Waits until clients reach a gateway. */
  async ready() {
    await until(this.description.name, async () => {
      assert.equal(this.running.child.exitCode, null, this.log);
      return open({ port: this.port, ca: this.ca }).then(({ status, socket }) => (socket.destroy(), status === 101), () => false);
    });
  }

  /** Kills all processes of the proxy at once, so that no close frame is sent. */
  async kill() {
    this.epoch = 0;
    await Promise.all(this.#processes.splice(0).map((each) => each.stop()));
  }

  async stop() {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

/** Starts a proxy in front of gateways at these two ports. */
export async function startProxy(description, [first, second]) {
  const proxy = new Proxy(description, await freePort());
  for (const [file, write] of Object.entries({ ...description.more, [description.file]: description.write })) {
    const text = readFileSync(join(FOLDER, file), 'utf8').replace(/\b80[01]0\b/g, (port) => (port === '8000' ? first : second));
    writeFileSync(proxy.path(file), write(text, proxy));
  }
  proxy.begin();
  try {
    await proxy.ready();
  } catch (error) {
    await proxy.stop();
    throw error;
  }
  return proxy;
}

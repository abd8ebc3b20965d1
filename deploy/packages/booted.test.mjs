// The Debian package in a Debian that systemd has booted: the commands of README.md, the units with all their limits, `Type=notify`.
//
// The Debian is a folder, its systemd is process 1 of namespaces (testing/boot). That needs root.

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, start, until } from '../testing/processes.mjs';
import { HERE, attempt, buildPackages, requirePrograms, run } from './testing/support.mjs';

/** Made once: a minute, and the network. */
const TARBALL = join(ROOT, 'target/test-packages/bookworm.tar');

const UNITS = ['switchboard-gateway', 'switchboard-chatbot', 'switchboard-notifier'];

const folder = mkdtempSync(join(tmpdir(), 'booted-'));
const root = join(folder, 'root');
const etc = join(root, 'etc/switchboard');
const secrets = join(etc, 'secrets');
let machine, init, built;

/** Runs commands as root in the machine. */
const inside = (commands) => attempt('nsenter', ['--target', init, '--all', '--root', '--wd', 'bash', '-euo', 'pipefail', '-c', commands]);
const ok = (commands) => {
  const { status, stdout, stderr } = inside(commands);
  assert.equal(status, 0, `${commands}\n${stdout}${stderr}`);
  return stdout;
};
/** Runs a program of this machine in the network of the other. */
const curl = (...args) => run('nsenter', ['--target', init, '--net', 'curl', '--silent', '--show-error', ...args]);
const show = (unit, property) => ok(`systemctl show --value --property ${property} ${unit}`).trim();
const state = (unit) => show(unit, 'ActiveState');
const secret = (name) => readFileSync(join(secrets, name), 'utf8').trim();
/** The commands of README.md below a heading. */
const commandsOf = (heading) => {
  const [, section] = readFileSync(join(HERE, 'README.md'), 'utf8').split(`## ${heading}\n`);
  return /```sh\n([^`]*)```/.exec(section.split('\n## ')[0])[1];
};

before(async () => {
  assert.equal(process.getuid(), 0, 'run this test as root: it boots a Debian in a folder, and only root can');
  requirePrograms();
  if (!existsSync(TARBALL)) {
    mkdirSync(join(TARBALL, '..'), { recursive: true });
    run('mmdebstrap', ['--quiet', '--variant=minbase', '--include=systemd-sysv,redis-server', 'bookworm', `${TARBALL}.new.tar`]);
    renameSync(`${TARBALL}.new.tar`, TARBALL);
  }
  mkdirSync(root);
  run('tar', ['-C', root, '-xf', TARBALL]);
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  built = buildPackages(join(root, 'root/downloads'));
  machine = start(join(HERE, 'testing/boot'), [root]);
  await until('systemd', () => {
    assert.equal(machine.child.exitCode, null, machine.log);
    init = attempt('pgrep', ['--parent', String(machine.child.pid), '--exact', 'systemd']).stdout.trim();
    return init && /running/.test(inside('systemctl is-system-running').stdout);
  });
});
after(async () => {
  await machine?.stop();
  const groups = `find /sys/fs/cgroup -depth -type d -path '*switchboard-test-${machine?.child.pid}*' -exec rmdir {} +`;
  await until('the end of all processes', () => attempt('bash', ['-c', groups]).status === 0);
  rmSync(folder, { recursive: true });
});

test('the package installs, and starts nothing', () => {
  const output = ok(`cd /root/downloads\n${commandsOf('Install')}`);
  assert.match(output, /OK\n/);
  assert.match(output, /nothing runs yet/);
  assert.equal(run('stat', ['--format', '%a %u', secrets]), '700 0\n');
  for (const unit of UNITS) assert.deepEqual([show(unit, 'UnitFileState'), state(unit)], ['disabled', 'inactive']);
  assert.equal(ok('systemd-analyze verify --man=no /usr/lib/systemd/system/switchboard-*.service 2>&1'), '');
});

test('without its secrets a unit fails at once, and its status names them', () => {
  const needed = {
    'switchboard-gateway': ['hmac_secret', 'api_keys', 'redis_url'],
    'switchboard-chatbot': ['chatbot_api_key'],
    'switchboard-notifier': ['notifier_api_key', 'notifier_callers'],
  };
  for (const [unit, names] of Object.entries(needed)) {
    assert.notEqual(inside(`systemctl start ${unit}`).status, 0);
    const { stdout } = inside(`systemctl status --no-pager --full ${unit}`);
    for (const name of names) assert.match(stdout, new RegExp(`${name}" is empty`));
    assert.deepEqual([state(unit), show(unit, 'ExecMainStatus'), show(unit, 'NRestarts')], ['failed', '64', '0']);
  }
});

test('a gateway that waits for Redis is activating, says why, and is active when Redis is there', async () => {
  ok(commandsOf('Secrets'));
  for (const name of readdirSync(secrets)) assert.equal(run('stat', ['--format', '%a', join(secrets, name)]), '600\n');
  ok('systemctl stop redis-server && systemctl start --no-block switchboard-gateway');
  await until('the reason', () => /Redis/.test(show('switchboard-gateway', 'StatusText')));
  assert.equal(state('switchboard-gateway'), 'activating');
  assert.equal(show('switchboard-gateway', 'TimeoutStartUSec'), 'infinity');
  ok('systemctl start redis-server');
  await until('the gateway', () => state('switchboard-gateway') === 'active');
});

test('the commands of the page start all three, and a notification comes through', async () => {
  ok(commandsOf('Start'));
  for (const unit of UNITS) assert.equal(state(unit), 'active');
  const notifications = 'http://127.0.0.1:8200/v1/notifications';
  const hello = ['-H', 'content-type: application/json', '-d', '{"user":"alice","title":"Hello","body":"","level":"info"}', notifications];
  assert.match(curl('--include', ...hello), /^HTTP\/1.1 401 /);
  const key = ['-H', `authorization: Bearer ${secret('notifier_callers')}`];
  const { id } = JSON.parse(curl(...key, ...hello));
  await until('the delivery', () => /"delivered"/.test(curl(...key, `${notifications}/${id}`)));
  assert(existsSync(join(root, 'var/lib/private/switchboard/notifier.sqlite')));

  const revoke = ['-H', 'content-type: application/json', '-d', '{"user":"mallory"}', 'http://127.0.0.1:8001/v1/revocations'];
  const as = (name) => curl('--write-out', '%{http_code}', '--output', '/dev/null', '-H', `authorization: Bearer ${secret(name)}`, ...revoke);
  assert.deepEqual(['notifier_api_key', 'operator_api_key'].map(as), ['403', '200']);
});

test('a program has no rights, and shows no secret', () => {
  const pid = show('switchboard-gateway', 'MainPID');
  const status = ok(`cat /proc/${pid}/status`);
  for (const line of [/^Uid:\t6\d{4}\t/m, /^CapBnd:\t0+$/m, /^CapEff:\t0+$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m]) assert.match(status, line);
  const shown = ok(`tr '\\0' '\\n' </proc/${pid}/environ; tr '\\0' ' ' </proc/${pid}/cmdline; journalctl --no-pager; systemctl show ${UNITS.join(' ')}`);
  assert.match(shown, /GATEWAY__TOKENS__HMAC_SECRET_FILE=\/run\/credentials\/switchboard-gateway.service\/hmac_secret/);
  for (const name of ['hmac_secret', 'chatbot_api_key', 'notifier_api_key', 'notifier_callers', 'operator_api_key']) assert(!shown.includes(secret(name)), name);
  assert.equal(show('switchboard-gateway', 'LimitNOFILE'), '1048576');
});

test('TLS ends at the gateway, and a new certificate is used without a restart', async () => {
  const tls = join(etc, 'tls');
  const renew = (name) => {
    const [crt, key] = ['crt', 'key'].map((kind) => join(folder, `new.${kind}`));
    run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-keyout', key, '-out', crt]);
    // The files stay, with their owner, group and mode.
    for (const [from, to] of [[crt, 'tls.crt'], [key, 'tls.key']]) writeFileSync(join(tls, to), readFileSync(from));
  };
  const ready = (name) => curl('--cacert', join(tls, 'tls.crt'), '--resolve', `${name}:8000:127.0.0.1`, `https://${name}:8000/readyz`);
  mkdirSync(tls);
  renew('one.example');
  ok(commandsOf('TLS at the gateway'));
  assert.match(ready('one.example'), /"ready":true/);
  assert.equal(run('stat', ['--format', '%a', join(tls, 'tls.key')]), '640\n');
  const process = show('switchboard-gateway', 'MainPID');
  renew('two.example');
  await until('the new certificate', () => {
    try {
      return /"ready":true/.test(ready('two.example'));
    } catch {
      return false;
    }
  });
  assert.equal(show('switchboard-gateway', 'MainPID'), process);
  assert.match(ok('switchboard-gateway health --config /etc/switchboard/gateway.toml'), /^ready/);
});

test('a program that dies starts again', async () => {
  ok('systemctl kill --signal KILL switchboard-chatbot');
  await until('the restart', () => show('switchboard-chatbot', 'NRestarts') === '1' && state('switchboard-chatbot') === 'active');
});

test('an upgrade restarts nothing, and keeps settings', () => {
  const before = show('switchboard-gateway', 'MainPID');
  appendFileSync(join(etc, 'gateway.env'), 'GATEWAY__PUBLIC__MAX_CONNECTIONS=1234\n');
  const [install, restart] = commandsOf('Upgrade').trim().split('\n');
  assert.match(ok(`cd /root/downloads\n${install}`), /keep the old version until: systemctl restart switchboard-gateway/);
  assert.equal(show('switchboard-gateway', 'MainPID'), before);
  assert.match(readFileSync(join(etc, 'gateway.env'), 'utf8'), /1234/);
  ok(restart);
  assert.notEqual(show('switchboard-gateway', 'MainPID'), before);
  assert.match(ok('journalctl --no-pager --unit switchboard-gateway'), /max_connections = 1234/);
});

test('a stop is a drain that ends before systemd would kill', () => {
  const began = Date.now();
  ok(`systemctl stop ${UNITS.join(' ')}`);
  const took = Date.now() - began;
  for (const unit of UNITS) assert.deepEqual([show(unit, 'Result'), show(unit, 'ExecMainStatus')], ['success', '0']);
  assert(took > 10_000 && took < 60_000, `${took} ms, of which drain.delay are 10 s`);
});

test('wrong settings stop the start, and systemd does not try again', () => {
  writeFileSync(join(etc, 'gateway.env'), 'GATEWAY__WORKERS=many\n');
  assert.notEqual(inside('systemctl restart switchboard-gateway').status, 0);
  assert.match(inside('systemctl status --no-pager --full switchboard-gateway').stdout, /workers/);
  assert.deepEqual([state('switchboard-gateway'), show('switchboard-gateway', 'ExecMainStatus')], ['failed', '64']);
});

test('to purge the package removes programs, settings and secrets, and leaves the outbox', () => {
  ok('dpkg --purge switchboard');
  const gone = ['etc/switchboard', 'usr/lib/switchboard', 'etc/systemd/system/multi-user.target.wants/switchboard-gateway.service'];
  assert.deepEqual(gone.filter((name) => existsSync(join(root, name))), []);
  assert(existsSync(join(root, 'var/lib/private/switchboard/notifier.sqlite')));
});

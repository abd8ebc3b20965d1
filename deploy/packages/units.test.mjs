// The systemd units, with the programs of the dev profile. booted.test.mjs runs them under systemd.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT } from '../testing/processes.mjs';
import { HERE, PROGRAMS, attempt, readUnit, requirePrograms, seconds } from './testing/support.mjs';

const SECRETS = {
  hmac_secret: 'a-secret-for-tokens-that-is-long-enough',
  api_keys: 'chatbot=key-of-the-chat-bot==\nnotifier=key-of-the-notifier==\n',
  redis_url: 'redis://:password-of-redis@redis.example:6379',
  chatbot_api_key: 'key-of-the-chat-bot==',
  notifier_api_key: 'key-of-the-notifier==',
  notifier_callers: 'key-of-a-caller==',
};
const LARGEST_EXPOSURE = 2;

const folder = mkdtempSync(join(tmpdir(), 'units-'));
const programs = process.env.SWITCHBOARD_BIN_DIR ?? join(ROOT, 'target/debug');
const withPrograms = (text) => text.replace('/usr/lib/switchboard/', `${programs}/`);

before(() => {
  requirePrograms();
  for (const { name } of PROGRAMS) {
    const unit = readFileSync(join(HERE, `systemd/${name}.service`), 'utf8');
    writeFileSync(join(folder, `${name}.service`), withPrograms(unit));
  }
  for (const [name, secret] of Object.entries(SECRETS)) writeFileSync(join(folder, name), secret);
});
after(() => rmSync(folder, { recursive: true }));

for (const { name, variables } of PROGRAMS) {
  describe(name, () => {
    const path = join(HERE, `systemd/${name}.service`);
    const unit = readUnit(path);
    const isGateway = name === 'switchboard-gateway';
    const prefix = `${name.split('-')[1].toUpperCase()}__`;

    /** What the unit hands to the program: its arguments and variables, with the credentials in our folder. */
    const start = (flags, more = {}) => {
      const credentials = unit.LoadCredential.map((each) => each.split(':'));
      for (const [id, source] of credentials) assert.equal(source, `/etc/switchboard/secrets/${id}`);
      assert.deepEqual(unit.SetCredential, credentials.map(([id]) => `${id}:\\n`), 'each secret has an empty default');
      const specifiers = { d: folder, S: '/var/lib', H: 'host' };
      const expand = (text) => text.replace(/%(\w)/g, (all, letter) => specifiers[letter] ?? assert.fail(`${all} in ${path}`));
      const environment = Object.fromEntries(unit.Environment.map((each) => /^(\w+)=(.*)$/.exec(expand(each)).slice(1)));
      const command = withPrograms(unit.ExecStart[0]).replace('/etc/switchboard/gateway.toml', join(ROOT, 'deploy/gateway.toml'));
      const [program, ...args] = command.split(' ');
      return attempt(program, [...args, ...flags], { env: { ...environment, ...more } });
    };
    /** The settings that the program has with this unit. */
    const settings = (more) => {
      const { status, stdout, stderr } = start(['--check'], more);
      assert.equal(status, 0, stderr);
      const lines = new Map(stdout.split('\n').map((line) => line.split(' = ')));
      const of = (key) => lines.get(key)?.replaceAll('"', '') ?? assert.fail(`${key} is not in\n${stdout}`);
      return { text: stdout, of };
    };

    test('systemd understands it', () => {
      const { status, stderr, stdout } = attempt('systemd-analyze', ['verify', '--man=no', join(folder, `${name}.service`)]);
      assert.deepEqual([status, stderr, stdout], [0, '', '']);
    });

    test(`its exposure is below ${LARGEST_EXPOSURE}`, (t) => {
      const { stdout } = attempt('systemd-analyze', ['security', '--offline=true', path]);
      const [, exposure] = /Overall exposure level for .*: ([\d.]+)/.exec(stdout);
      t.diagnostic(`exposure ${exposure}`);
      assert(Number(exposure) < LARGEST_EXPOSURE, stdout);
    });

    test('the program takes its arguments, variables and secrets', () => {
      const { text } = settings();
      for (const part of Object.values(SECRETS).join('\n').match(/[a-z-]*(secret|key|password)-[a-z-]+/g)) {
        assert(!text.includes(part), `--check shows ${part}`);
      }
    });

    test('the program takes the variables that its file proposes', () => {
      const file = readFileSync(join(HERE, 'env', variables), 'utf8');
      const proposed = Object.fromEntries([...file.matchAll(/^#(\w+)=(.*)$/gm)].map((match) => match.slice(1)));
      assert(Object.keys(proposed).length >= 3);
      for (const key of Object.keys(proposed)) assert(key.startsWith(prefix), key);
      settings(proposed);
      const { status, stderr } = start(['--check'], { [`${prefix}NONSENSE__KEY`]: '1' });
      assert.equal(status, 64, stderr);
    });

    test('a secret that is missing is named, and no restart follows', () => {
      for (const id of unit.LoadCredential.map((each) => each.split(':')[0])) {
        writeFileSync(join(folder, id), '\n');
        const { status, stderr } = start(['--check']);
        writeFileSync(join(folder, id), SECRETS[id]);
        assert.match(stderr, new RegExp(`${id}" is empty; write the secret into it`));
        assert.equal(unit.RestartPreventExitStatus[0], String(status));
      }
    });

    test('systemd waits longer for its end than the program needs', () => {
      const needed = isGateway ? ['drain.delay', 'drain.deadline'] : ['shutdown.drain_s'];
      const { of } = settings();
      const sum = needed.map((key) => seconds(of(key))).reduce((a, b) => a + b);
      assert(sum > 0);
      assert(seconds(unit.TimeoutStopSec[0]) >= sum + 10, `TimeoutStopSec=${unit.TimeoutStopSec}, ${needed.join(' + ')} = ${sum} s`);
    });

    test('it may open as many files as its limits of connections allow, twice', () => {
      const keys = isGateway ? ['public.max_connections', 'public.http_connections', 'internal.connections'] : ['http.connections'];
      const { of } = settings();
      const sum = keys.map((key) => Number(of(key))).reduce((a, b) => a + b);
      assert(Number(unit.LimitNOFILE[0]) > 2 * sum, `LimitNOFILE=${unit.LimitNOFILE} for ${sum} connections`);
    });
  });
}

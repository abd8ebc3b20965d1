// Each container of each set of values is started with --check: exactly the rendered environment, arguments and files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETS, render, valuesOf } from './testing/chart.mjs';
import { Cluster } from './testing/cluster.mjs';
import { secretsFor } from './testing/secrets.mjs';

const INVALID = 64;

/** Starts the container of a workload with --check. Resolves to `{ code, log, spec, settings }`. */
async function check(cluster, workload, { objects, secrets, family }) {
  const pod = await cluster.pod(`${workload.metadata.name}-6d5f7c9b4-x2x7q`, family);
  const running = cluster.container(pod, workload, { objects, secrets, args: ['--check'] });
  const code = await running.ended;
  const settings = Object.fromEntries(running.log.split('\n').filter((line) => line.includes(' = ')).map((line) => line.split(/ = (.*)/)));
  return { code, log: running.log, settings, pod, ...running };
}

/** Seconds of a duration as --check prints it. */
function seconds(text) {
  const [, number, unit] = /^"?(\d+)(ms|s|m|h|d)?"?$/.exec(text) ?? assert.fail(`no duration: ${text}`);
  return number * { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 }[unit ?? 's'];
}

function checkGateway({ settings, spec, pod, container }, set) {
  const end = seconds(settings['drain.delay']) + seconds(settings['drain.deadline']);
  const preStop = container.lifecycle?.preStop.sleep.seconds ?? 0;
  assert(spec.terminationGracePeriodSeconds >= preStop + end + 10, `killed after ${spec.terminationGracePeriodSeconds} s, but the end takes ${preStop} + ${end} s`);
  assert(end >= (set === 'demo' ? 30 : 120), 'the drain takes minutes');
  assert.equal(settings['node.name'], `"${pod.name}"`);
  const address = set === 'ipv6' ? `[${pod.ip}]` : pod.ip;
  assert.equal(settings['cluster.link_url'], `"${set === 'tls' ? 'wss' : 'ws'}://${address}:8001"`);
  const hosts = ['tls', 'identity-provider'].includes(set) ? '["ws.example.com"]' : '[]';
  assert.equal(settings['public.hosts'], hosts);
  assert.equal(settings['node.core_dumps'], 'false');
}

function checkService({ settings, spec }) {
  const drain = Number(settings['shutdown.drain_s']);
  assert(spec.terminationGracePeriodSeconds >= drain + 10, `killed after ${spec.terminationGracePeriodSeconds} s, but the end takes ${drain} s`);
}

for (const set of SETS) {
  test(`values of ${set}`, async (t) => {
    const cluster = await Cluster.create(t);
    const { secrets, words } = secretsFor(set);
    const objects = await render(...valuesOf(set));
    for (const workload of objects.workloads) {
      const result = await check(cluster, workload, { objects, secrets, family: set === 'ipv6' ? 6 : 4 });
      assert.equal(result.code, 0, result.log);
      for (const text of [result.log, ...result.env.values()]) for (const word of words) assert(!text.includes(word), 'a secret is shown');
      const expected = set === 'demo' && result.container.name === 'gateway' ? ['gateway: warning: demo.enabled: insecure'] : [];
      const warnings = result.log.split('\n').filter((line) => /warn/i.test(line));
      assert.deepEqual(warnings.map((line) => line.split(': ').slice(0, 4).join(': ')), expected, result.log);
      (result.container.name === 'gateway' ? checkGateway : checkService)(result, set);
    }
  });
}

test('a setting with another name and a missing key of a Secret are noticed', async (t) => {
  const cluster = await Cluster.create(t);
  const { secrets } = secretsFor('minimal');
  const renamed = await render(...valuesOf('minimal'), '--set', 'gateway.extraEnv[0].name=GATEWAY__DRAIN__DELEY,gateway.extraEnv[0].value=1s');
  const { code, log } = await check(cluster, renamed.workloads[0], { objects: renamed, secrets });
  assert.equal(code, INVALID);
  assert.match(log, /drain.deley: unknown key/);

  const objects = await render(...valuesOf('minimal'));
  await assert.rejects(check(cluster, objects.workloads[0], { objects, secrets: {} }), /there is no Secret switchboard with the key hmac_secret/);
});

// Which engine `build` takes and what it tells it, with engines that do nothing. Run by `just test-deploy images`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../testing/processes.mjs';

const [, VERSION] = /version = "(.+?)"/.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'));

/** Runs `build` on a machine with these engines, each of which answers or does not. Returns the status, the texts and the commands. */
function build(engines, args = []) {
  const folder = mkdtempSync(join(tmpdir(), 'engines-'));
  try {
    for (const program of ['bash', 'env', 'dirname', 'realpath', 'git']) {
      symlinkSync(spawnSync('bash', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim(), join(folder, program));
    }
    for (const [engine, answers] of Object.entries(engines)) {
      const text = `#!/bin/bash\nif [[ $1 == info ]]; then exit ${answers ? 0 : 1}; fi\necho "${engine} $*"\n`;
      writeFileSync(join(folder, engine), text, { mode: 0o755 });
    }
    const env = { PATH: folder, HOME: folder, SOURCE_DATE_EPOCH: '1700000000' };
    const { status, stdout, stderr } = spawnSync(join(ROOT, 'deploy/images/build'), args, { env, encoding: 'utf8' });
    return { status, stderr, stdout, commands: stdout.split('\n').filter((line) => line.includes(' build ')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the first engine that answers builds all images', () => {
  for (const [engines, taken] of [
    [{ docker: true, podman: true, buildah: true }, 'docker'],
    [{ docker: false, podman: true, buildah: true }, 'podman'],
    [{ docker: false, podman: false, buildah: true }, 'buildah'],
    [{ buildah: true }, 'buildah'],
  ]) {
    const { status, commands, stdout } = build(engines);
    assert.equal(status, 0);
    assert.deepEqual(commands.map((command) => command.split(' ')[0]), [taken, taken, taken]);
    assert.match(stdout, new RegExp(`built with ${taken}: switchboard/notifier-backend:${VERSION}\n`));
  }
});

test('an engine gets the target, the tag, the time and its own options', () => {
  const args = ['gateway', '--builder', 'rust', '--tag', 'a', '--tag', 'b', '--symbols', '/out', '--engine'];
  const ofAll = (engine) => [`${engine} build --file deploy/images/Containerfile --build-arg VERSION=${VERSION} --build-arg SOURCE_DATE_EPOCH=1700000000`, '--build-arg BUILDER=rust --platform linux/arm64 .'];
  for (const [engine, own] of [
    ['docker', ''],
    ['podman', ' --format docker --layers --timestamp 1700000000 --ignorefile deploy/images/Containerfile.dockerignore'],
    ['buildah', ' --format docker --layers --timestamp 1700000000 --ignorefile deploy/images/Containerfile.dockerignore'],
  ]) {
    const { commands } = build({ docker: true, podman: true, buildah: true }, [...args, engine, '--', '--platform', 'linux/arm64']);
    const [begin, end] = ofAll(engine);
    assert.deepEqual(commands, [
      `${begin}${own} --target gateway --tag=switchboard/gateway:a --tag=switchboard/gateway:b ${end}`,
      `${begin}${own} --target symbols --output type=local,dest=/out ${end}`,
    ]);
  }
});

test('a machine without an engine, and a wrong command line, get a sentence with the cure', () => {
  for (const [engines, args, status, message] of [
    [{}, [], 69, /None of docker, podman and buildah answers.*\n.*apt-get install buildah/],
    [{ docker: false }, [], 69, /Start docker/],
    [{ docker: false, buildah: true }, ['--engine', 'docker'], 69, /docker does not answer: `docker info` says why/],
    [{ buildah: true }, ['--engine', 'kaniko'], 64, /--engine has to be docker, podman or buildah, not kaniko/],
    [{ buildah: true }, ['notifier'], 64, /unknown: notifier\n.*notifier-backend/],
    [{ buildah: true }, ['--tag'], 64, /--tag needs a value/],
  ]) {
    const result = build(engines, args);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, message);
    assert.deepEqual(result.commands, []);
  }
});

test('--help names all options', () => {
  const { status, stdout } = build({}, ['--help']);
  assert.equal(status, 0);
  for (const option of ['--engine', '--builder', '--tag', '--symbols', 'SOURCE_DATE_EPOCH']) assert(stdout.includes(option), option);
});

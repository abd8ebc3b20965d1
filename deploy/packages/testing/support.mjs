// What the tests of packages share.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../testing/processes.mjs';

export const HERE = join(ROOT, 'deploy/packages');
/** The programs: their file, their name in /usr/bin, which is also that of their unit, and their file of variables. */
export const PROGRAMS = ['gateway', 'chatbot', 'notifier'].map((short) => ({
  file: short === 'gateway' ? short : `${short}-backend`,
  name: `switchboard-${short}`,
  variables: `${short}.env`,
}));

/** Runs a program and returns what it prints. Fails with its errors if it does. */
export const run = (program, args, options) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28, ...options });

/** Runs a program that may fail. */
export const attempt = (program, args, options) => spawnSync(program, args, { encoding: 'utf8', ...options });

export const requirePrograms = () => run(join(ROOT, 'deploy/native/requirement'), ['packages']);

/**
 * Builds the packages and returns their files by kind.
 *
 * SWITCHBOARD_BINARIES may name a folder that deploy/images/binaries has written; else `build` compiles.
 */
export function buildPackages(out, { root = ROOT, binaries = process.env.SWITCHBOARD_BINARIES, env } = {}) {
  const options = binaries ? ['--binaries', binaries] : [];
  run(join(root, 'deploy/packages/build'), ['--out', out, ...options], { env: { ...process.env, ...env } });
  const files = readdirSync(out).sort();
  const ending = (end) => join(out, files.find((name) => name.endsWith(end)));
  return {
    out,
    files,
    tarball: ending('-linux.tar.gz'),
    symbols: ending('-symbols.tar.gz'),
    deb: ending('.deb'),
    bill: (file) => ending(`-${file}.cdx.json`),
  };
}

/** The values of a unit's keys, in order: `{ ExecStart: ['…'], … }`. */
export function readUnit(path) {
  const unit = {};
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key) (unit[key] ??= []).push(value);
  }
  return unit;
}

/** Seconds of a time such as "90s" or "2m". */
export function seconds(text) {
  const [, number, unit] = /^"?(\d+)(ms|s|m|h)?"?$/.exec(text);
  return Number(number) * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit ?? 's'];
}

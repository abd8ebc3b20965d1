// What the tests of this folder share: both Compose programs, secrets, secrets to look for.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../testing/processes.mjs';

export const FOLDER = import.meta.dirname;
/** Where the programs of the project are. */
export const BIN = process.env.SWITCHBOARD_BIN_DIR ?? join(ROOT, 'target/debug');

// podman-compose needs Podman even to read files.
execFileSync(join(ROOT, 'deploy/native/requirement'), ['compose'], { stdio: ['ignore', 'ignore', 'inherit'] });
const tool = (kind, ...args) => execFileSync(join(ROOT, 'deploy/native', kind), [...args, 'runs the stack of deploy/compose'], { encoding: 'utf8' }).trim();
export const COMPOSE = tool('go-tool', 'compose', 'github.com/docker/compose/v2/cmd', '2.40.3');
const PODMAN_COMPOSE_BIN = tool('python-tool', 'podman-compose', '1.6.0');
export const PODMAN_COMPOSE = join(PODMAN_COMPOSE_BIN, 'podman-compose');

/** The path of a collector with the components of collector.yaml. Builds it if it is missing. */
export function collector() {
  const { 1: version } = /opentelemetry-collector:([\d.]+)/.exec(readFileSync(join(FOLDER, 'compose.telemetry.yaml'), 'utf8'));
  const source = join(FOLDER, 'collector');
  const program = join(ROOT, 'target/tools', `otelcol-${version}`, 'otelcol');
  if (existsSync(program)) return program;
  if (!readFileSync(join(source, 'go.mod'), 'utf8').includes(`go.opentelemetry.io/collector/otelcol v${version}`)) throw new Error(`collector/go.mod must have version ${version}`);
  const go = execFileSync(join(ROOT, 'deploy/native/requirement'), ['go'], { encoding: 'utf8' }).trim();
  console.log(`building the OTLP collector ${version}`);
  execFileSync(go, ['build', '-trimpath', '-o', program, '.'], { cwd: source, stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } });
  return program;
}

/** The environment of this process without the variables of the stack, so that only an .env counts. */
export const CLEAN = Object.fromEntries(Object.entries(process.env).filter(([key]) => ['PATH', 'HOME', 'LANG', 'TMPDIR'].includes(key)));

/** Writes an .env, passes its path on, and removes it. */
function withVariables(variables, use) {
  const folder = mkdtempSync(join(tmpdir(), 'env-'));
  try {
    const file = join(folder, '.env');
    writeFileSync(file, Object.entries(variables).map(([key, value]) => `${key}=${value}\n`).join(''));
    return use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const flags = (files) => files.flatMap((file) => ['-f', join(FOLDER, file)]);

/** What Compose makes of these files with the variables of an .env. */
export function config(files, variables = {}) {
  const text = withVariables(variables, (env) => execFileSync(COMPOSE, ['--env-file', env, ...flags(files), 'config', '--format', 'json'], { encoding: 'utf8', env: CLEAN }));
  return JSON.parse(text);
}

/** The same with podman-compose. */
export function podmanConfig(files, variables = {}) {
  const yaml = withVariables(variables, (env) => execFileSync(PODMAN_COMPOSE, ['--env-file', env, ...flags(files), 'config'], { encoding: 'utf8', env: CLEAN }));
  const program = 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)';
  return JSON.parse(execFileSync(join(PODMAN_COMPOSE_BIN, 'python'), ['-c', program], { input: yaml, encoding: 'utf8' }));
}

/** Makes secrets in a folder. Returns what the script says. */
export function makeSecrets(folder, host = 'localhost') {
  return execFileSync(join(FOLDER, 'make-secrets'), [host], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...CLEAN, SECRETS: folder } });
}

/** The strings in a folder of secrets that may appear nowhere: keys, the password, the lines of the private key. */
export function secretsIn(folder) {
  const words = readdirSync(folder).filter((name) => !/certificate|users/.test(name)).flatMap((name) => readFileSync(join(folder, name), 'utf8').match(/[A-Za-z0-9+/]{40,}/g) ?? []);
  return [...new Set(words)];
}

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** The seconds of a duration such as "2m0s" or "120s". */
export function seconds(duration) {
  const parts = [...String(duration).matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join('') !== String(duration)) throw new Error(`not a duration: ${duration}`);
  return parts.reduce((sum, [, number, unit]) => sum + number * UNITS[unit], 0);
}

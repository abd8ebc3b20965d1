// What `build` makes: contents, checksums, bills of materials, and the same bytes from two folders.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from '../testing/processes.mjs';
import { HERE, PROGRAMS, attempt, buildPackages, requirePrograms, run } from './testing/support.mjs';

const TIME = '1700000000';
const MACHINE = run('uname', ['-m']).trim();
const VERSION = /\[workspace\.package\]\nversion = "(.*)"/.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))[1];
const NAME = `switchboard-${VERSION}-${MACHINE}-linux`;

const SETTINGS = ['gateway.toml', ...PROGRAMS.map(({ variables }) => variables)];

const folder = mkdtempSync(join(tmpdir(), 'packages-'));
const path = (name) => join(folder, name);
const [tree, programs, deb, installed] = ['tree', 'programs', 'deb', 'installed'].map(path);
let built;
const inTree = (name) => join(tree, NAME, name);
const list = (root) => run('find', ['.', '!', '-type', 'd', '-printf', '%P %m %l\n'], { cwd: root }).split('\n').filter(Boolean).sort();

before(() => {
  requirePrograms();
  built = buildPackages(path('out'), { env: { SOURCE_DATE_EPOCH: TIME } });
  for (const each of [tree, programs]) mkdirSync(each);
  run('tar', ['-C', tree, '-xzf', built.tarball]);
  run('tar', ['-C', tree, '-xzf', built.symbols]);
  for (const { file } of PROGRAMS) {
    cpSync(inTree(`bin/${file}`), join(programs, file));
    cpSync(join(tree, `${NAME}-symbols/${file}.debug`), join(programs, `${file}.debug`));
  }
  run('dpkg-deb', ['-x', built.deb, deb]);
  run(inTree('install'), [installed]);
});
after(() => rmSync(folder, { recursive: true }));

test('the folder has the packages and their checksums', (t) => {
  const bills = PROGRAMS.map(({ file }) => `switchboard-${VERSION}-${file}.cdx.json`);
  const deb = `switchboard_${VERSION}-1_${run('dpkg', ['--print-architecture']).trim()}.deb`;
  assert.deepEqual(built.files, [...bills, deb, `${NAME}.tar.gz`, `${NAME}-symbols.tar.gz`, 'SHA256SUMS'].sort());
  assert.equal(run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: built.out }), '');
  assert.equal(readFileSync(join(built.out, 'SHA256SUMS'), 'utf8').split('\n').length, built.files.length);
  t.diagnostic(run('ls', ['-l', built.out]));
});

test('the tarball has what its page says, and nothing of this machine', () => {
  const names = PROGRAMS.map(({ name }) => name);
  const files = PROGRAMS.map(({ file }) => file);
  const proxies = ['Caddyfile', 'README.md', 'envoy.yaml', 'haproxy-tcp.cfg', 'haproxy.cfg', 'nginx.conf'];
  assert.deepEqual(list(join(tree, NAME)), [
    ...files.map((file) => `bin/${file} 755 `),
    ...names.flatMap((name) => [`completions/${name}.bash 644 `, `completions/_${name} 644 `, `completions/${name}.fish 644 `]),
    ...names.flatMap((name) => [`man/${name}.1.gz 644 `, `systemd/${name}.service 644 `]),
    ...SETTINGS.map((name) => `config/${name} 644 `),
    ...['gateway', 'chatbot', 'notifier'].map((name) => `defaults/${name}.toml 644 `),
    ...proxies.map((name) => `proxies/${name} 644 `),
    ...files.map((file) => `sbom/${file}.cdx.json 644 `),
    'LICENSE 644 ', 'README.md 644 ', 'install 755 ',
  ].sort());
  for (const archive of [built.tarball, built.symbols]) {
    const lines = run('tar', ['--numeric-owner', '--full-time', '--utc', '-tvzf', archive]).trim().split('\n');
    for (const line of lines) assert.match(line, /^\S+ 0\/0 +\d+ 2023-11-14 22:13:20 /);
  }
  for (const place of [ROOT, homedir(), folder]) assert.equal(attempt('grep', ['-rlaF', `${place}/`, tree]).stdout, '', `has ${place}`);
});

test('the programs are static, without symbols, which are in the other tarball', () => {
  for (const { file, name } of PROGRAMS) {
    const program = inTree(`bin/${file}`);
    assert.doesNotMatch(run('readelf', ['--program-headers', program]), /INTERP/, `${file} needs an interpreter`);
    assert.doesNotMatch(run('readelf', ['--dynamic', program]), /NEEDED/, `${file} needs libraries`);
    assert.doesNotMatch(run('readelf', ['--sections', '--wide', program]), /\.symtab|\.debug_(info|line)/);
    assert.match(run('readelf', ['--sections', '--wide', join(programs, `${file}.debug`)]), /\.debug_line/);
    assert.match(run(join(deb, 'usr/bin', name), ['--version']), new RegExp(`${VERSION}$`, 'm'));
  }
});

test('the man pages render, and have every option', () => {
  const env = { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' };
  for (const { file, name } of PROGRAMS) {
    const { status, stdout, stderr } = attempt('man', ['--warnings', '--local-file', inTree(`man/${name}.1.gz`)], { env });
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^${name.toUpperCase()}\\(1\\)`));
    const options = new Set(run(inTree(`bin/${file}`), ['--help']).match(/--[a-z-]+/g));
    assert(options.has('--check'));
    for (const option of options) assert(stdout.includes(option), `${name}(1) has no ${option}`);
  }
});

test('bash completes options and commands', () => {
  const script = `set -u; source "$1"; [[ $(complete -p "$2") =~ -F\\ ([^ ]+) ]]
    COMP_WORDS=("$2" "$3") COMP_CWORD=1; "\${BASH_REMATCH[1]}" "$2" "$3" "$2"; echo "\${COMPREPLY[*]}"`;
  const place = join(installed, 'usr/share/bash-completion/completions');
  const complete = (name, word) => run('bash', ['-c', script, 'complete', join(place, name), name, word]);
  for (const { name } of PROGRAMS) {
    assert.match(complete(name, '--ch'), /--check/);
    assert.match(complete(name, 'he'), /health/);
    assert.match(readFileSync(inTree(`completions/_${name}`), 'utf8'), new RegExp(`^#compdef ${name}\n`));
    assert.match(readFileSync(inTree(`completions/${name}.fish`), 'utf8'), new RegExp(`complete -c ${name} .*-l check`));
  }
});

test('a bill of materials has every crate of its program', (t) => {
  const host = /host: (.*)/.exec(run('rustc', ['-vV']))[1];
  for (const { file } of PROGRAMS) {
    const text = readFileSync(built.bill(file), 'utf8');
    assert.equal(readFileSync(inTree(`sbom/${file}.cdx.json`), 'utf8'), text);
    const { bomFormat, specVersion, serialNumber, metadata, components } = JSON.parse(text);
    assert.deepEqual([bomFormat, specVersion, serialNumber], ['CycloneDX', '1.5', undefined]);
    assert.deepEqual([metadata.component.name, metadata.component.version, metadata.timestamp], [file, VERSION, '2023-11-14T22:13:20.000000000Z']);
    const inBill = new Set(components.filter(({ scope }) => scope === 'required').map(({ name, version }) => `${name} v${version}`));
    inBill.add(`${file} v${VERSION}`);
    const query = ['tree', '--locked', '--edges', 'normal', '--prefix', 'none', '--format', '{p}', '--package', file, '--target', host];
    const crates = [...new Set(run('cargo', query, { cwd: ROOT }).match(/^\S+ v\S+/gm))];
    assert(crates.length > 100);
    assert.deepEqual(crates.filter((crate) => !inBill.has(crate)), []);
    t.diagnostic(`${file}: ${crates.length} crates used, ${components.length} listed`);
    for (const { name, purl, licenses } of components) assert(purl && licenses, name);
  }
});

test('lintian finds no error in the deb', (t) => {
  const { status, stdout, stderr } = attempt('lintian', ['--fail-on', 'error', '--allow-root', built.deb]);
  t.diagnostic(stdout);
  assert.equal(status, 0, stdout + stderr);
});

test('the deb has the files that `install` of the tarball installs, and its own', () => {
  const own = ['doc/switchboard/changelog.Debian.gz', 'doc/switchboard/copyright'];
  assert.deepEqual(list(deb), [...list(installed), ...own.map((name) => `usr/share/${name} 644 `)].sort());
  for (const name of list(installed).map((line) => line.split(' ')[0])) run('cmp', [join(deb, name), join(installed, name)]);
  assert.equal(run('dpkg-deb', ['--field', built.deb, 'Depends']), '\n', 'static programs depend on nothing');
  const kept = run('dpkg-deb', ['--info', built.deb, 'conffiles']).trim().split('\n');
  assert.deepEqual(kept.sort(), SETTINGS.map((name) => `/etc/switchboard/${name}`).sort());
});

test('`install` keeps settings, and the folder of the secrets is for root only', () => {
  const again = path('again');
  run(inTree('install'), [again]);
  const settings = join(again, 'etc/switchboard/gateway.env');
  writeFileSync(settings, 'GATEWAY__WORKERS=1\n');
  rmSync(join(again, 'usr/lib/systemd/system/switchboard-gateway.service'));
  run(inTree('install'), [again]);
  assert.equal(readFileSync(settings, 'utf8'), 'GATEWAY__WORKERS=1\n');
  assert(existsSync(join(again, 'usr/lib/systemd/system/switchboard-gateway.service')));
  assert.equal(run('stat', ['--format', '%a', join(again, 'etc/switchboard/secrets')]), '700\n');
});

test('a build of the same programs in another folder, at another time, gives the same bytes', () => {
  const other = path('another folder');
  mkdirSync(other);
  const copy = 'git -C "$1" ls-files -z | tar -C "$1" --null --files-from=- -c | tar -x --touch && git init --quiet && git add --all';
  run('bash', ['-c', copy, 'copy', ROOT], { cwd: other });
  mkdirSync(join(other, 'target'));
  symlinkSync(join(ROOT, 'target/tools'), join(other, 'target/tools'));
  const env = { SOURCE_DATE_EPOCH: TIME, TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8' };
  const second = buildPackages(path('second'), { root: other, binaries: programs, env });
  run('cmp', [join(second.out, 'SHA256SUMS'), join(built.out, 'SHA256SUMS')]);
});

test('wrong options end with their cure', () => {
  const build = (...args) => attempt(join(HERE, 'build'), ['--out', path('refused'), ...args]);
  assert.match(build('--binaries', join(HERE, 'systemd')).stderr, /has no gateway.*use deploy\/images\/binaries/);
  assert.deepEqual([build('--fast', 'x').status, build('--binaries').status !== 0], [64, true]);
});

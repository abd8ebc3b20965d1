// The folder in which the commands of the pages run. It looks like the project after `./justw up`.

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './blocks.mjs';

const BINARIES = process.env.SWITCHBOARD_BIN_DIR ?? join(ROOT, 'target/debug');

/** Makes the folder. What the commands install there stays for the next run with the same Python and Node. */
export function workspace() {
    const folder = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'docs-tests');
    const stamp = join(folder, 'versions');
    const versions = `${execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.base_prefix)'])}${process.version}\n`;
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== versions) rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'target'), { recursive: true });
    const links = readdirSync(ROOT).filter((name) => !name.startsWith('.') && name !== 'target').map((name) => [join(ROOT, name), name]);
    for (const [target, name] of [...links, [BINARIES, 'target/native']]) {
        const path = join(folder, name);
        if (lstatSync(path, { throwIfNoEntry: false })) unlinkSync(path);
        symlinkSync(target, path);
    }
    writeFileSync(stamp, versions);
    return folder;
}

/** Saves a program of a page where its first line says. */
export function save(folder, path, text) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
}

/** The folders of the Nodes that run the programs: the one of this machine, and Node 22. */
export function nodes() {
    const packaged = join(ROOT, 'docs/tests/node_modules', `node-linux-${process.arch}`, 'bin');
    if (!existsSync(join(packaged, 'node'))) throw new Error(`npm has no Node 22 for ${process.arch}: ${packaged} is missing`);
    return [dirname(process.execPath), packaged];
}

/** Runs the example of Rust where the page builds it first. */
const EXAMPLE = /cargo run [^\n]*--example (\w+)(?: --)?/g;

/** Writes the addresses of a stack into a text. `addresses` maps the port that the pages use to an origin such as `http://127.0.0.1:21234`. */
export function localise(text, addresses) {
    const host = (port) => {
        if (!addresses[port]) throw new Error(`no program of the stack has the port ${port}`);
        return new URL(addresses[port]).host;
    };
    return text.replace(/\b(?:127\.0\.0\.1|localhost):(\d+)/g, (_, port) => host(port)).replace(EXAMPLE, 'target/native/examples/$1');
}

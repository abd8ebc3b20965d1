// build.mjs EXAMPLE...: copies folders of docs/examples to target/examples, and runs there the first commands of their READMEs, which build them.
// An example that has not changed since is not built again.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../../../../docs/tests/support/process.mjs';
import { BUILT, SOURCES, commandsOf } from '../support/example.mjs';

/** Folders that the commands of a README make. */
const MADE = ['node_modules', 'venv', 'target'];

/** The files of a folder, and of the folders in it. */
function filesOf(folder) {
    const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !MADE.includes(name));
    return entries.flatMap((entry) => (entry.isDirectory() ? filesOf(join(folder, entry.name)) : [join(folder, entry.name)]));
}

/** What an example is made of: its files, and the interpreters whose versions its packages fit. */
function sourcesOf(name) {
    const hash = createHash('sha256').update(process.version);
    if (name.startsWith('python') || name === 'outbox') hash.update(execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.base_prefix)']));
    for (const file of filesOf(`${SOURCES}/${name}`).sort()) hash.update(`${file}\0`).update(readFileSync(file));
    return hash.digest('hex');
}

for (const name of process.argv.slice(2)) {
    const [folder, stamp, sources] = [`${BUILT}/${name}`, `${BUILT}/${name}.made-of`, sourcesOf(name)];
    if (existsSync(folder) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) continue;
    rmSync(stamp, { force: true });
    rmSync(folder, { recursive: true, force: true });
    cpSync(`${SOURCES}/${name}`, folder, { recursive: true, filter: (path) => !MADE.includes(basename(path)) });
    await run(commandsOf(name).build, { folder });
    writeFileSync(stamp, sources);
}

// build.mjs EXAMPLE...: copies folders of docs/examples to target/examples, and runs there the first commands of their READMEs, which build them.

import { cpSync, rmSync } from 'node:fs';
import { run } from '../../../../docs/tests/support/process.mjs';
import { BUILT, SOURCES, commandsOf } from '../support/example.mjs';

for (const name of process.argv.slice(2)) {
    const folder = `${BUILT}/${name}`;
    rmSync(folder, { recursive: true, force: true });
    cpSync(`${SOURCES}/${name}`, folder, { recursive: true });
    const started = performance.now();
    await run(commandsOf(name).build, { folder });
    console.log(`built docs/examples/${name} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

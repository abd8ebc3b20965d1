// Every command and program of the pages runs as the pages show it, against two gateways, and prints what they say.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PAGES, ROOT, blocksOf, matches, pathOf } from './support/blocks.mjs';
import { run } from './support/process.mjs';
import { checkService } from './support/service.mjs';
import { localise, nodes, save, workspace } from './support/workspace.mjs';

const env = process.env;
const ADDRESSES = {
    8000: env.SWITCHBOARD_URL,
    8001: env.SWITCHBOARD_API,
    8010: env.SWITCHBOARD_URL_2,
    8011: env.SWITCHBOARD_API_2,
    8100: env.CHATBOT_URL,
    8200: env.NOTIFIER_URL,
};
const folder = workspace();
const gateway = join(folder, 'target/native/gateway');

/** Runs a block of commands, with each Node if it runs Node, and compares what it prints. */
async function runCommands(block) {
    const commands = localise(block.text, ADDRESSES);
    const paths = /^node /m.test(commands) ? nodes() : [undefined];
    for (const path of paths) {
        const environment = { PATH: [...(path ? [path] : []), join(folder, 'target/native'), env.PATH].join(':') };
        const output = await run(commands, { folder, environment });
        if (block.output) assert.ok(matches(output, block.output), `${block.place} prints\n${output}\nand not\n${block.output}`);
    }
}

/** Sends each request of a block to the gateway. */
async function sendRequests({ text, place }) {
    for (const line of text.split('\n')) {
        const [method, path] = line.split(/ +/);
        const headers = { authorization: 'Bearer dev', 'content-type': 'application/json' };
        const body = method === 'POST' ? '{"data":{}}' : undefined;
        const answer = await fetch(env.SWITCHBOARD_API + path, { method, headers, body });
        assert.equal(answer.status, 200, `${place}: ${line}: ${await answer.text()}`);
    }
}

/** Adds settings to those of the demo, and checks the result. */
async function checkSettings({ text }) {
    const file = join(folder, 'settings.toml');
    writeFileSync(file, `${readFileSync(join(ROOT, 'gateway/config/dev.toml'), 'utf8')}\n${text}\n`);
    await run(`'${gateway}' --config '${file}' --check`, { folder });
}

/** A program is saved; the commands after it run it. */
function saveProgram(block) {
    const path = pathOf(block);
    assert.ok(path, `${block.place}: the first line must say where to save the program, such as "// target/talk/talk.mjs"`);
    save(folder, path, localise(block.text, ADDRESSES));
}

/** A program in Rust is a file of the project; the build has compiled it. */
function compareSource(block) {
    const path = pathOf(block);
    assert.ok(path, `${block.place}: the first line must name the file`);
    const [, shown] = block.text.split(`// ${path}\n`);
    const source = readFileSync(join(ROOT, path), 'utf8').replace(/^(\/\/!.*\n)+\n/, '');
    assert.equal(`${shown}\n`, source, `${block.place} is not ${path}`);
}

const RUN = { sh: runCommands, http: sendRequests, toml: checkSettings, js: saveProgram, python: saveProgram, rust: compareSource };
const DIAGRAM = 'mermaid';
/** The number of blocks that may be marked with `no-test`. */
const MAX_NOT_RUN = 8;

const notRun = [];
for (const page of PAGES) {
    const blocks = blocksOf(page);
    if (blocks.length === 0) continue;
    test(page, async (t) => {
        const settings = blocks.filter(({ language }) => language === 'toml').map(({ text }) => text);
        for (const block of blocks) {
            if (block.mark === 'no-test') {
                assert.ok(block.reason, `${block.place}: say why no test runs this block: <!-- no-test (reason) -->`);
                notRun.push(`${block.place}: ${block.reason}`);
            } else if (block.language !== DIAGRAM) {
                const name = `${block.place} ${block.language} ${block.text.split('\n', 1)[0].slice(0, 60)}`;
                await t.test(name, async (t) => {
                    assert.ok(RUN[block.language], `${block.place}: no test can run "${block.language}": use ${Object.keys(RUN)}, or mark the block`);
                    if (block.mark === 'service') await checkService(t, block, { folder, settings, programs: blocks.filter(({ language }) => language === 'python') });
                    else await RUN[block.language](block);
                });
            }
        }
    });
}

test('the blocks that no test runs are counted', (t) => {
    t.diagnostic(`${notRun.length} blocks of the pages are not run:`);
    for (const line of notRun) t.diagnostic(line);
    assert.ok(notRun.length <= MAX_NOT_RUN, 'too many blocks are not run: make them commands that a test can run');
});

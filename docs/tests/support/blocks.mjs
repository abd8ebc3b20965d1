// Reads the code blocks of the project's pages.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The pages whose blocks are run: all that explain how to use or change the project. */
export const PAGES = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'bench/README.md',
    'web/README.md',
    'docs/examples/README.md',
    ...['docs', 'docs/decisions', 'docs/deploy', 'docs/protocols'].flatMap((folder) => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`)),
];

const MARK = /^<!-- (no-test|service) ?(?:\((.+)\))? -->$/;

/**
 * Returns the blocks of a page: `{ place, language, text, mark, reason, output }`.
 *
 * A comment on the line before a block marks it: `<!-- no-test (reason) -->` or `<!-- service -->`, which means that the command runs until
 * it is stopped. `output` is the text of the `text` or `json` block that follows, which is what the block prints.
 */
export function blocksOf(page, content = readFileSync(join(ROOT, page), 'utf8')) {
    const blocks = [];
    let open;
    let before = '';
    for (const [index, line] of content.split('\n').entries()) {
        const delimiter = /^ *(```|~~~)(.*)$/.exec(line);
        if (open && delimiter) {
            blocks.push({ ...open, text: open.lines.join('\n') });
            open = undefined;
        } else if (open) {
            open.lines.push(line);
        } else if (delimiter) {
            const [, mark, reason] = MARK.exec(before.trim()) ?? [];
            open = { place: `${page}:${index + 1}`, language: delimiter[2].trim(), mark, reason, lines: [] };
        }
        if (line.trim() !== '') before = line;
    }
    if (open) throw new Error(`${open.place}: the block has no end`);
    return withOutputs(blocks);
}

function withOutputs(blocks) {
    const outputs = ['text', 'json'];
    return blocks.flatMap((block, index) => {
        if (!outputs.includes(block.language)) return [{ ...block, output: outputs.includes(blocks[index + 1]?.language) ? blocks[index + 1].text : undefined }];
        if (index === 0 || outputs.includes(blocks[index - 1].language)) throw new Error(`${block.place}: no program before this block prints it`);
        return [];
    });
}

/** The path in the first line of a program, which is a comment such as `# target/shout/shout.py`. */
export const pathOf = ({ text }) => /^(?:\/\/|#) (\S+\/\S+)\n/.exec(text)?.[1];

/** Whether a text has the form of an example, in which `…` stands for any text. */
export function matches(text, example) {
    const parts = example.trim().split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('[^]*')}$`).test(text.trim());
}

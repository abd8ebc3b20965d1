// Every link of a page leads to a file of the project, and to a heading that exists.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './support/blocks.mjs';

/** The pages in a folder and below it, without what builds and installations put there. */
function pagesIn(folder) {
    return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return /^(\.|target$|node_modules$|venv$|secrets$)/.test(entry.name) ? [] : pagesIn(path);
        return entry.isFile() && path.endsWith('.md') ? [path] : [];
    });
}

const pages = pagesIn('');
const withoutCode = (page) => readFileSync(join(ROOT, page), 'utf8').replace(/^ *```[^]*?^ *```$/gm, '');

/** The anchor of a heading, as GitHub and GitLab make it. */
function anchor(heading) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    return text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
}

const anchorsOf = (page) => [...withoutCode(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));

function* brokenLinks(page) {
    for (const [, link] of withoutCode(page).replace(/`[^`\n]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue;
        const [path, fragment] = link.split('#');
        const target = path ? join(dirname(page), path) : page;
        if (!existsSync(join(ROOT, target))) yield `${page}: ${link}: there is no such file`;
        else if (fragment && target.endsWith('.md') && !anchorsOf(target).includes(fragment)) yield `${page}: ${link}: there is no such heading`;
    }
}

test('all links lead somewhere', () => {
    assert.ok(pages.length > 50);
    assert.deepEqual(pages.flatMap((page) => [...brokenLinks(page)]), []);
});

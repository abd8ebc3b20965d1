// The pictures of the pages: text stays inside its box and is readable, and arrows do not cross.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './support/blocks.mjs';
import { launch } from './support/browser.mjs';

const FOLDER = join(ROOT, 'docs/images');
const PICTURES = readdirSync(FOLDER).filter((name) => name.endsWith('.svg'));
/** The width at which a phone or a narrow window shows a picture, and the smallest text there, in pixels. */
const WIDTH = 640;
const SMALLEST_TEXT = 13;

/** Runs in the browser. Returns the faults of the picture in the document. */
function faultsOf({ smallestText, padding }) {
    const svg = document.querySelector('svg');
    const faults = [];
    const box = (element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return { left, top, right, bottom };
    };
    const contains = (outer, inner, by) =>
        inner.left >= outer.left + by && inner.top >= outer.top + by && inner.right <= outer.right - by && inner.bottom <= outer.bottom - by;
    const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

    const boxes = [...svg.querySelectorAll('rect')].map(box);
    const texts = [...svg.querySelectorAll('text')];
    for (const [index, text] of texts.entries()) {
        const name = `"${text.textContent}"`;
        const here = box(text);
        for (const rect of boxes) {
            if (overlap(rect, here) && !contains(rect, here, padding)) faults.push(`${name} leaves its box`);
        }
        if (!boxes.some((rect) => contains(rect, here, padding))) faults.push(`${name} leaves the picture`);
        for (const other of texts.slice(index + 1)) if (overlap(here, box(other))) faults.push(`${name} covers "${other.textContent}"`);
        const size = parseFloat(getComputedStyle(text).fontSize) * svg.getScreenCTM().a;
        if (size < smallestText) faults.push(`${name} has ${size} px`);
    }

    const lines = [...svg.querySelectorAll('path.line')].map((path) => ({ path, points: pointsOf(path) }));
    // Without the ends, because several arrows may begin at one point.
    function pointsOf(path) {
        const [from, length] = [4, path.getTotalLength() - 8];
        const steps = Math.max(1, Math.ceil(length / 4));
        return Array.from({ length: steps + 1 }, (_, step) => path.getPointAtLength(from + (length * step) / steps));
    }
    const side = (a, b, c) => Math.sign((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x));
    const around = (a, b) => ({ left: Math.min(a.x, b.x), right: Math.max(a.x, b.x), top: Math.min(a.y, b.y), bottom: Math.max(a.y, b.y) });
    const touch = (a, b) => a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom;
    const cross = (a, b, c, d) =>
        touch(around(a, b), around(c, d)) && side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0;
    const linesCross = (one, other) =>
        one.points.some((a, i) => i > 0 && other.points.some((c, j) => j > 0 && cross(one.points[i - 1], a, other.points[j - 1], c)));
    for (const [index, one] of lines.entries()) {
        for (const other of lines.slice(index + 1)) {
            const group = one.path.closest('[data-crossings=intended]');
            if ((!group || group !== other.path.closest('[data-crossings=intended]')) && linesCross(one, other)) {
                faults.push(`the lines ${one.path.getAttribute('d')} and ${other.path.getAttribute('d')} cross`);
            }
        }
        const matrix = svg.getScreenCTM();
        const onScreen = one.points.map((point) => point.matrixTransform(matrix));
        for (const text of texts) {
            const here = box(text);
            if (onScreen.some(({ x, y }) => x > here.left && x < here.right && y > here.top && y < here.bottom)) {
                faults.push(`the line ${one.path.getAttribute('d')} runs through "${text.textContent}"`);
            }
        }
    }
    return faults;
}

/** Runs in the browser. Returns the lowest contrast of a text with the surface behind it (WCAG 2.2). */
function lowestContrast() {
    const svg = document.querySelector('svg');
    const luminance = (colour) => {
        const [r, g, b] = colour.match(/[\d.]+/g).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const surfaces = [...svg.querySelectorAll('rect')].filter((rect) => getComputedStyle(rect).fill !== 'none');
    const contrasts = [...svg.querySelectorAll('text')].map((text) => {
        const { left, top } = text.getBoundingClientRect();
        const behind = surfaces.filter((rect) => {
            const box = rect.getBoundingClientRect();
            return box.left <= left && left <= box.right && box.top <= top && top <= box.bottom;
        });
        const [light, dark] = [text, behind.at(-1)].map((it) => luminance(getComputedStyle(it).fill)).sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    });
    return Math.min(...contrasts);
}

const show = async (page, svg) => {
    await page.setContent(`<!doctype html><body style="margin:0">${svg}</body>`);
};

test('the pictures', async (t) => {
    const browser = await launch(t);
    const page = await browser.newPage({ viewport: { width: WIDTH, height: 600 } });
    assert.ok(PICTURES.length > 0);

    for (const name of PICTURES) {
        const svg = readFileSync(join(FOLDER, name), 'utf8');
        await t.test(`${name}: text stays in its box, lines do not cross, and all is readable in light and dark`, async () => {
            for (const colorScheme of ['light', 'dark']) {
                await page.emulateMedia({ colorScheme });
                await show(page, svg);
                assert.deepEqual(await page.evaluate(faultsOf, { smallestText: SMALLEST_TEXT, padding: 3 }), []);
                const contrast = await page.evaluate(lowestContrast);
                assert.ok(contrast >= 4.5, `a text has a contrast of ${contrast.toFixed(2)} in ${colorScheme}`);
            }
        });
    }

    await t.test('all pictures have the same style', () => {
        const style = (name) => /<style>([^]*?)<\/style>/.exec(readFileSync(join(FOLDER, name), 'utf8'))[1];
        for (const name of PICTURES) assert.equal(style(name), style(PICTURES[0]), name);
    });

    await t.test('the check finds faults', async () => {
        const page = await browser.newPage({ viewport: { width: WIDTH, height: 600 } });
        const rect = '<rect class="box" x="20" y="20" width="40" height="30" />';
        const faulty = {
            'leaves its box': `${rect}<text x="25" y="40">much too long</text>`,
            'leaves the picture': '<text x="600" y="40">much too long</text>',
            'px': `<text x="100" y="100" font-size="9">small</text>`,
            'covers': '<text x="100" y="100">one</text><text x="104" y="104">two</text>',
            'cross': '<path class="line" d="M100 100L200 200" /><path class="line" d="M200 100L100 200" />',
            'runs through': '<path class="line" d="M80 100H200" /><text x="100" y="104">text</text>',
        };
        for (const [fault, part] of Object.entries(faulty)) {
            await show(page, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 300"><rect width="640" height="300" fill="none" />${part}</svg>`);
            const faults = await page.evaluate(faultsOf, { smallestText: SMALLEST_TEXT, padding: 3 });
            assert.ok(faults.some((it) => it.includes(fault)), `${fault}: ${faults}`);
        }
    });
});

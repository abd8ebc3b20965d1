// The pages `/docs` of the gateway and the notifier: what people need first comes first, and the forms work as they open.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launch } from './support/browser.mjs';

const PAGES = [
    {
        name: 'the gateway',
        url: process.env.SWITCHBOARD_API,
        groups: ['publish', 'channels', 'users', 'connections', 'services', 'queues', 'operations'],
        first: ['POST', '/v1/channels/{channel}/publications'],
        // What a service with reach = "webhook" implements.
        last: ['POST', 'service'],
        key: 'dev',
        status: '200',
    },
    {
        name: 'the notifier',
        url: process.env.NOTIFIER_URL,
        groups: ['send', 'notifications', 'operations'],
        first: ['POST', '/v1/notifications'],
        last: ['GET', '/openapi.json'],
        status: '202',
    },
];

/** Enters the key as the page asks for it. */
async function authorise(page, key) {
    await page.getByRole('button', { name: 'Authorize' }).click();
    const dialog = page.locator('.modal-ux');
    assert.match(await dialog.innerText(), /`?dev`? with the development settings/);
    await dialog.getByRole('textbox').fill(key);
    await dialog.getByRole('button', { name: 'Apply credentials' }).click();
    await dialog.getByRole('button', { name: 'Close' }).first().click();
}

test('the pages of the interfaces', async (t) => {
    const browser = await launch(t);
    for (const { name, url, groups, first, last, key, status } of PAGES) {
        await t.test(`the page of ${name} lists first what people need first, and its first form works as it opens`, async () => {
            const page = await browser.newPage();
            page.setDefaultTimeout(15_000);
            const problems = [];
            page.on('pageerror', (error) => problems.push(String(error)));
            page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}`));
            await page.goto(`${url}/docs`);
            await page.locator('.opblock').first().waitFor();

            const order = await page.locator('.opblock-tag').evaluateAll((all) => all.map((tag) => tag.dataset.tag));
            assert.deepEqual(order, groups);
            const operations = await page.locator('.opblock-summary').evaluateAll((all) =>
                all.map((it) => ['.opblock-summary-method', '.opblock-summary-path'].map((part) => it.querySelector(part).textContent.replaceAll('\u200b', ''))),
            );
            assert.deepEqual([operations[0], operations.at(-1)], [first, last]);
            assert.match(await page.locator('.info').innerText(), /Key: /);

            const publish = page.locator('.opblock').first();
            await publish.locator('.opblock-summary-control').click();
            if (key) {
                await publish.getByRole('button', { name: 'Execute' }).click();
                await publish.locator('.live-responses-table .response-col_status').filter({ hasText: '401' }).waitFor();
                await authorise(page, key);
            }
            await publish.getByRole('button', { name: 'Execute' }).click();
            await publish.locator('.live-responses-table .response-col_status').filter({ hasText: status }).waitFor();
            assert.deepEqual(problems, []);
            await page.close();
        });
    }
});

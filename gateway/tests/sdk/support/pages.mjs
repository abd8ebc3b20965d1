// Serves the pages of stomp/pages, and drives them in Chromium.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { ROOT } from './program.mjs';

const FOLDER = join(ROOT, 'gateway/tests/sdk');
const LIBRARIES = {
    '/react.js': 'node_modules/react/umd/react.production.min.js',
    '/react-dom.js': 'node_modules/react-dom/umd/react-dom.production.min.js',
    '/stomp.js': 'node_modules/@stomp/stompjs/bundles/stomp.umd.min.js',
    '/sockjs.js': 'node_modules/sockjs-client/dist/sockjs.min.js',
};
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' };

/** Serves the pages and their libraries. Resolves to the origin. */
export async function serve(t) {
    const server = createServer(async (request, response) => {
        const { pathname } = new URL(request.url, 'http://page');
        try {
            const content = await readFile(join(FOLDER, LIBRARIES[pathname] ?? join('stomp/pages', pathname)));
            response.writeHead(200, { 'content-type': TYPES[extname(pathname)] }).end(content);
        } catch {
            response.writeHead(404).end();
        }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}`;
}

/** Starts the browser of the environment. */
export async function launch(t, more = []) {
    const executablePath = process.env.CHROMIUM;
    if (!executablePath) throw new Error("CHROMIUM must name a browser: './justw test-sdk' finds one");
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', ...more] });
    t.after(() => browser.close());
    return browser;
}

/** A tab with one of the pages. */
export class Shop {
    /** Opens a page for a broker and waits until it is connected. `problems` collects the errors of the page. */
    static async open(browser, page, { broker, token }) {
        const shop = new Shop();
        shop.tab = await browser.newPage();
        shop.problems = [];
        shop.tab.on('pageerror', (error) => shop.problems.push(String(error)));
        await shop.tab.goto(`${page}?${new URLSearchParams({ broker, token })}`);
        await shop.connected();
        return shop;
    }

    connected(isConnected = true) {
        return this.tab.waitForSelector(`main[data-connected="${isConnected}"]`);
    }

    async say(text) {
        await this.tab.fill('input', text);
        await this.tab.press('input', 'Enter');
    }

    askForPrice() {
        return this.tab.click('button');
    }

    /** Waits until the page shows so many messages. Resolves to their texts. */
    async shown(count) {
        await this.tab.waitForFunction((count) => document.querySelectorAll('li').length >= count, count);
        return this.tab.$$eval('li', (list) => list.map(({ textContent }) => textContent));
    }
}

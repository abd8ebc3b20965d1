// Starts Chromium.

import { chromium } from 'playwright-core';

/** Starts the browser of the environment. It is closed after the tests of `t`. */
export async function launch(t) {
    const executablePath = process.env.CHROMIUM;
    if (!executablePath) throw new Error("CHROMIUM must name a browser: './justw test-docs' finds one");
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic', '--disable-background-networking'] });
    t.after(() => browser.close());
    return browser;
}

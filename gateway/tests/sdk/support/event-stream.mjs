// Clients of EventSource: npm eventsource, Chromium, and curl. All record the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { EventSource } from 'eventsource';
import { Signal, within } from './wait.mjs';

/** What happened to a stream, as its client reports it. */
export class EventStream {
    #signal = new Signal();

    /**
     * In order: `{ kind, data, id, status }`. The kinds are those of the events, and `open`; `error` when the stream has ended and the client
     * comes back; `failed` when it has given up.
     */
    all = [];

    happened(entry) {
        this.all.push(entry);
        this.#signal.notify();
    }

    of(kind) {
        return this.all.filter((each) => each.kind === kind);
    }

    /** Waits until something of a kind has happened so many times. Resolves to all of it. */
    async count(kind, count) {
        const look = async () => {
            while (this.of(kind).length < count) await this.#signal.notified();
        };
        await within(look(), () => `${count} times ${kind}; there were ${this.of(kind).length}, and at last ${JSON.stringify(this.all.slice(-3))}`);
        return this.of(kind);
    }

    /** Waits for so many messages. Resolves to their data, as JSON. */
    async data(count) {
        return (await this.count('message', count)).map(({ data }) => JSON.parse(data));
    }
}

const KINDS = ['open', 'message', 'reset', 'end'];

/** Opens a stream with npm eventsource. `headers` are those that a program may set by its own `fetch`. */
export function openInNode(t, url, { headers } = {}) {
    const stream = new EventStream();
    const ask = (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } });
    const source = new EventSource(url, { fetch: ask });
    for (const kind of KINDS) source.addEventListener(kind, ({ data, lastEventId: id }) => stream.happened({ kind, data, id }));
    source.addEventListener('error', ({ code: status }) => stream.happened({ kind: source.readyState === EventSource.CLOSED ? 'failed' : 'error', status }));
    t.after(() => source.close());
    return stream;
}

/** Opens a stream with the EventSource of a browser, in a tab with this page. */
export async function openInPage(t, tab, url, options = {}) {
    const stream = new EventStream();
    const report = `report${Math.random().toString(36).slice(2)}`;
    await tab.exposeFunction(report, (entry) => stream.happened(entry));
    const run = ({ url, options, kinds, report }) => {
        const tell = window[report];
        const source = new EventSource(url, options);
        for (const kind of kinds) source.addEventListener(kind, ({ data, lastEventId: id }) => tell({ kind, data, id }));
        source.addEventListener('error', () => tell({ kind: source.readyState === EventSource.CLOSED ? 'failed' : 'error' }));
    };
    await tab.evaluate(run, { url, options, kinds: KINDS, report });
    t.after(() => tab.close());
    return stream;
}

/** Reads the text of an event stream, as the standard says (HTML, 9.2.6). */
export class EventParser {
    #rest = '';
    #event = {};
    /** The last id, which stays until another one comes. */
    id = '';
    retry = 3000;

    /** Takes the next part of the text. Returns the complete events. */
    take(text) {
        const lines = (this.#rest + text).split('\n');
        this.#rest = lines.pop();
        return lines.flatMap((line) => this.#line(line));
    }

    #line(line) {
        if (line === '') {
            const { kind = 'message', data } = this.#event;
            this.#event = {};
            return data === undefined ? [] : [{ kind, data: data.join('\n'), id: this.id }];
        }
        const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line);
        if (field === 'id') this.id = value;
        if (field === 'retry') this.retry = Number(value);
        if (field === 'event') this.#event.kind = value;
        if (field === 'data') (this.#event.data ??= []).push(value);
        return [];
    }
}

/** Opens a stream with `curl -N`, in a loop as a script would run it: again after `retry`, with the last id. */
function openWithCurl(t, url, { headers = {} } = {}) {
    const stream = new EventStream();
    let [process, timer, last] = [undefined, undefined, ''];
    const run = () => {
        const parser = new EventParser();
        parser.id = last;
        const sent = Object.entries({ ...headers, ...(last && { 'last-event-id': last }) }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
        process = spawn('curl', ['-N', '-s', '-D', '-', ...sent, url]);
        let [head, status] = ['', undefined];
        process.stdout.setEncoding('utf8').on('data', (text) => {
            if (status !== undefined) return take(text);
            head += text;
            const end = head.indexOf('\r\n\r\n');
            if (end < 0) return undefined;
            status = Number(head.split(' ')[1]);
            if (status === 200) stream.happened({ kind: 'open' });
            return take(head.slice(end + 4));
        });
        const take = (text) => {
            if (status !== 200) return;
            for (const event of parser.take(text)) stream.happened(event);
            last = parser.id;
        };
        process.on('close', () => {
            const hasFailed = status !== undefined && status !== 200;
            stream.happened({ kind: hasFailed ? 'failed' : 'error', status });
            if (!hasFailed) timer = setTimeout(run, parser.retry);
        });
    };
    run();
    t.after(() => {
        process.removeAllListeners('close');
        process.kill();
        clearTimeout(timer);
    });
    return stream;
}

/** Serves an empty page at an origin of its own. Resolves to the origin. */
export async function serveEmptyPage(t) {
    const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><link rel="icon" href="data:,">'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return `http://127.0.0.1:${server.address().port}`;
}

/** How to open a stream with each client. `page` is the origin of the page, which the gateway must allow. */
export function clients(browser, page) {
    return {
        'npm eventsource': openInNode,
        async Chromium(t, url) {
            const tab = await browser.newPage();
            await tab.goto(page);
            return openInPage(t, tab, url);
        },
        curl: openWithCurl,
    };
}

// Runs a program of the folder `clients`: a frontend with the SDK of one language. clients/README.md describes its commands and events.

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from './program.mjs';
import { within } from './wait.mjs';

const SOURCES = join(ROOT, 'gateway/tests/sdk/clients');
const BUILT = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'clients');

const JAVASCRIPT = join(SOURCES, 'javascript/client.mjs');

/** The programs: the command that runs one, and the forms of the protocol that its SDK speaks. */
export const PROGRAMS = {
    JavaScript: { command: [process.execPath, JAVASCRIPT], forms: ['json', 'protobuf', 'json/http_stream', 'protobuf/http_stream', 'json/sse'] },
    'hidden tab': { command: [process.execPath, '--require', join(SOURCES, 'javascript/hidden-tab.cjs'), JAVASCRIPT], forms: ['json', 'protobuf'] },
    Python: { command: [join(BUILT, 'python/bin/python'), join(SOURCES, 'python/client.py')], forms: ['json', 'protobuf'] },
    Go: { command: [join(BUILT, 'go/client')], forms: ['json', 'protobuf'] },
    // These options make the start of a short-lived process cheap.
    Java: { command: ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(BUILT, 'java/*'), 'Client'], forms: ['protobuf'] },
    'stomp.py': { command: [join(BUILT, 'python/bin/python'), join(SOURCES, 'python/stomp_client.py')], forms: ['text', 'binary'] },
    Spring: { command: ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(BUILT, 'spring/*'), 'stomp.Client'], forms: ['text'] },
};

/** A running program. It emits the events that the program writes. */
export class ClientProgram extends EventEmitter {
    /** Whether the gateway notices that the program sleeps. Fallbacks of the SDK answer no pings. */
    answersPings;
    #process;
    #ended;
    #log = '';
    #answers = new Map();
    #lastId = 0;

    /** Starts a program that is stopped after the test. A failed test shows what it wrote. */
    static start(t, language, form, gateway) {
        const client = new ClientProgram();
        client.answersPings = !form.includes('/');
        const [file, ...options] = PROGRAMS[language].command;
        client.#run(file, [...options, form, gateway.websocket]);
        t.after(async () => {
            await client.stop();
            if (t.passed === false) t.diagnostic(`the ${language} client:\n${client.#log}`);
        });
        return client;
    }

    #run(file, options) {
        this.#process = spawn(file, options, { stdio: 'pipe' });
        this.#ended = once(this.#process, 'close').then(
            () => this.#failAll('the client ended'),
            (error) => this.#failAll(`the client does not start (${error.message}): './justw test-python' and './justw test-clients' build it`),
        );
        this.#process.stdin.on('error', () => {});
        this.#process.stderr.setEncoding('utf8').on('data', (text) => (this.#log += text));
        createInterface({ input: this.#process.stdout }).on('line', (line) => this.#receive(line));
    }

    #receive(line) {
        this.#log += `${line}\n`;
        const { id, event, result, error, ...fields } = JSON.parse(line);
        if (event) return this.emit(event, fields);
        const { resolve, reject } = this.#answers.get(id);
        this.#answers.delete(id);
        if (error) reject(Object.assign(new Error(error.message), { code: error.code }));
        else resolve(result);
    }

    #failAll(why) {
        for (const { reject } of this.#answers.values()) reject(new Error(`${why}:\n${this.#log}`));
        this.#answers.clear();
    }

    /** Sends a command. Resolves to the result in its answer. */
    do(command, parameters = {}) {
        const id = (this.#lastId += 1);
        this.#process.stdin.write(`${JSON.stringify({ id, do: command, ...parameters })}\n`);
        const answered = new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
        return within(answered, () => `the answer to ${command}:\n${this.#log}`);
    }

    /** Suspends the process until `wake`. */
    sleep() {
        this.#process.kill('SIGSTOP');
    }

    wake() {
        this.#process.kill('SIGCONT');
    }

    /** Ends the program, as when an app is killed. */
    async stop() {
        this.#process.kill('SIGKILL');
        await this.#ended;
    }
}

// docs/examples/outbox: what an application writes in its own transaction is published once and in order, although the program is killed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { BUILT, commandsOf } from './support/example.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Program } from './support/program.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { eventually } from './support/wait.mjs';

const PARTITIONS = 2;
const CHANNELS = ['news:a', 'news:b', 'news:c'];

/** The application: a line of its input is a command, and it answers each with a line. */
const APPLICATION = `
import json, os, sqlite3, sys
database = sqlite3.connect(os.environ["OUTBOX"], timeout=30, isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, channel TEXT)")
for line in sys.stdin:
    command, *words = line.split()
    if command == "order":
        channel, first, last = words[0], int(words[1]), int(words[2])
        for number in range(first, last):
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO orders (channel) VALUES (?)", (channel,))
            database.execute("INSERT INTO outbox (channel, data) VALUES (?, ?)", (channel, json.dumps(number)))
            database.execute("COMMIT")
    elif command == "lock":
        database.execute("BEGIN IMMEDIATE")
    elif command == "unlock":
        database.execute("COMMIT")
    try:
        print(database.execute("SELECT count(*) FROM outbox").fetchone()[0], flush=True)
    except sqlite3.OperationalError:
        print(-1, flush=True)  # outbox.py makes the table
`;

class Application {
    static async start(t, environment) {
        const application = new Application();
        application.process = spawn('python3', ['-c', APPLICATION], { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'inherit'] });
        t.after(() => application.process.kill('SIGKILL'));
        application.answers = createInterface({ input: application.process.stdout })[Symbol.asyncIterator]();
        return application;
    }

    /** Sends a command. Resolves to the number of messages in the outbox. */
    async do(command) {
        this.process.stdin.write(`${command}\n`);
        return Number((await this.answers.next()).value);
    }
}

test('what an application wrote with its data is published once and in order, although the program is killed', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-outbox-'));
    t.after(() => rm(folder, { recursive: true }));
    const redis = await OwnRedis.start(t);
    const environment = {
        OUTBOX: join(folder, 'outbox.db'),
        REDIS_URL: redis.url.replace('redis+unix', 'unix'),
        INGEST_PARTITIONS: String(PARTITIONS),
    };
    const settings = `${redisSettings(redis.url, 'one')}
        [namespaces.news]
        history_size = 10000
        [ingest]
        channels = ["news:*"]
        partitions = ${PARTITIONS}
        [queues]
        lease = "1s"
    `;
    const node = await ownGateway(t, settings);
    const program = () => new Program('/usr/bin/env', ['bash', '-c', `cd '${join(BUILT, 'outbox')}' && exec ${commandsOf('outbox').run}`], environment);
    let running = program();
    t.after(() => running.kill());
    const entries = () => node.ask('GET', '/v1/ingest').then(({ depth }) => depth);
    const repeated = async () => {
        const lines = (await node.ask('GET', '/metrics')).split('\n');
        return Number(/ (\d+)$/.exec(lines.find((line) => line.includes('ingest_entries_total') && line.includes('"repeated"')) ?? ' 0')[1]);
    };

    const application = await Application.start(t, environment);
    // The program makes its table.
    await eventually(async () => (await application.do('look')) === 0, () => `the table: ${running.log}`);
    let next = 0;
    const order = async (count) => {
        for (const channel of CHANNELS) await application.do(`order ${channel} ${next} ${next + count}`);
        next += count;
    };
    for (let round = 0; round < 6; round += 1) {
        await order(20);
        running.signal('SIGKILL');
        await order(20);
        running = program();
    }
    // While the table is locked, the program writes into the stream and cannot delete what it wrote.
    await running.kill();
    await order(10);
    await eventually(async () => (await entries()) === 0, 'the streams to be empty');
    await application.do('lock');
    const before = await node.metric('switchboard_ingest_entries_total');
    running = program();
    await eventually(async () => (await node.metric('switchboard_ingest_entries_total')) >= before + 3 * 10, 'the messages in the stream');
    await running.kill();
    const known = await repeated();
    await application.do('unlock');
    running = program();

    await eventually(async () => (await application.do('look')) === 0 && (await entries()) === 0, () => `the end: ${running.log}`);
    assert.ok((await repeated()) >= known + 3 * 10, 'ingest knew what came again');
    for (const channel of CHANNELS) {
        const { publications } = await node.ask('GET', `/v1/channels/${channel}/publications?limit=1000`);
        assert.deepEqual(publications.map(({ data }) => data), Array.from({ length: next }, (_, number) => number), channel);
    }
    assert.equal((await node.ask('GET', '/v1/ingest')).dead_letters, 0);
    running.signal('SIGTERM');
});

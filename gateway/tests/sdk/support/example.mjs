// The programs of docs/examples: how they are built and run, and one of them beside two gateways.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { blocksOf } from '../../../../docs/tests/support/blocks.mjs';
import { ownGateway } from './gateway.mjs';
import { Program, ROOT, freePort } from './program.mjs';
import { Proxy } from './proxy.mjs';
import { OwnRedis, redisSettings } from './redis.mjs';
import { eventually } from './wait.mjs';

export const SOURCES = join(ROOT, 'docs/examples');
export const BUILT = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'examples');

/** All examples, by the name of their folder, and how the gateway reaches them. */
export const EXAMPLES = {
    python: 'link',
    node: 'link',
    rust: 'link',
    go: 'link',
    java: 'link',
    'python-webhook': 'webhook',
    'spring-boot': 'webhook',
};

const SERVICE = 'shout';
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
/** Options that make the start of a short-lived Java process cheap. */
const JAVA = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

/** The commands of an example's README: the last block runs it, the one before it builds it. */
export function commandsOf(name) {
    const commands = blocksOf(`docs/examples/${name}/README.md`).filter(({ language }) => language === 'sh');
    if (commands.length > 2) throw new Error(`docs/examples/${name}/README.md has more than two blocks of commands`);
    return { build: commands.length === 2 ? commands[0].text : '', run: commands.at(-1).text };
}

const settings = (redis, name, target) => `${redisSettings(redis.url, name)}
[tokens]
anonymous = true
[namespaces.news]
history_size = 10000
subscribe = "anyone"
[namespaces.stream]
history_size = 2000
subscribe = "anyone"
[services.${SERVICE}]
call_timeout = "2s"
order = "none"
${target ? `reach = "webhook"\nurls = ["${target}"]\nsecrets = ["${SECRET}"]` : 'reach = "link"'}
`;

/** An example and two gateways that share a Redis. */
export class Running {
    /** Starts the gateways and the example, and waits until both nodes reach it. A failed test shows what the example wrote. */
    static async start(t, name) {
        const running = new Running();
        t.after(async () => {
            if (t.passed === false) t.diagnostic(`the example ${name}:\n${running.program?.log}`);
            await running.program?.kill();
        });
        running.isLinked = EXAMPLES[name] === 'link';
        const port = await freePort();
        running.url = `http://127.0.0.1:${port}/`;
        running.redis = await OwnRedis.start(t);
        const target = running.isLinked ? undefined : running.url;
        running.nodes = await Promise.all(['one', 'two'].map((node) => ownGateway(t, settings(running.redis, node, target))));
        for (const node of running.nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
        running.program = runProgram(name, {
            SWITCHBOARD_URLS: await running.#addresses(t),
            SWITCHBOARD_API_KEY: 'dev',
            SECRET,
            PORT: String(port),
        });
        for (const node of running.nodes) await running.reachedFrom(node);
        return running;
    }

    /**
     * What the example knows of the nodes. For links, an address of one node, which names the others and for itself another address. For
     * webhooks, both nodes, the one that is killed first.
     */
    async #addresses(t) {
        const [one, two] = this.nodes;
        if (!this.isLinked) return [two.api, one.api].join(',');
        const { url } = await Proxy.start(t, { url: one.api });
        return `ws://${new URL(url).host}`;
    }

    /** Waits until calls to this node reach the example. */
    async reachedFrom(node) {
        const reached = async () => (this.isLinked ? (await this.instance(node)) !== undefined : fetch(this.url).then(() => true, () => false));
        await this.program.until(reached);
    }

    /** Waits until so many calls of this node are in flight. */
    async busyAt(node, calls = 1) {
        const isBusy = async () => {
            const { instances, targets } = await this.service(node);
            return [...instances, ...targets].some(({ in_flight }) => in_flight >= calls);
        };
        await eventually(isBusy, `${calls} calls in flight`);
    }

    /** Waits until the example takes no more calls. */
    async draining() {
        const isDraining = async () => {
            if (!this.isLinked) return fetch(this.url).then(() => false, () => true);
            const instances = await Promise.all(this.nodes.map((node) => this.instance(node)));
            return instances.every((instance) => instance.draining);
        };
        await this.program.until(isDraining);
    }

    /** What the node says about the example's link. `undefined` if there is no link. */
    async instance(node) {
        return (await this.service(node)).instances.find(({ credit }) => credit > 0);
    }

    async service(node) {
        const { services } = await node.ask('GET', '/v1/services');
        return services.find(({ service }) => service === SERVICE);
    }
}

function runProgram(name, environment) {
    if (name === 'rust') return new Program('shout', [], environment); // the build of all programs contains it
    const command = `cd '${join(BUILT, name)}' && exec ${commandsOf(name).run}`;
    return new Program('/usr/bin/env', ['bash', '-c', command], { ...environment, JAVA_TOOL_OPTIONS: JAVA });
}

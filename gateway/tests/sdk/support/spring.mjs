// Spring's simple broker (stomp/spring), with which the gateway is compared.

import { join } from 'node:path';
import { after } from 'node:test';
import { Gateway } from './gateway.mjs';
import { Program, ROOT } from './program.mjs';

/** The classes that `clients/build java` builds. */
export const CLASSES = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'clients/spring/*');
/** Options that make the start of a short-lived Java process cheap. */
export const JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', CLASSES];

/** A running broker. Its REST paths are those of the gateway. */
export class Spring extends Gateway {
    /** Starts a broker for a test file. */
    static async start() {
        // Spring logs an ERROR for each refused CONNECT.
        const options = ['--server.port=0', '--logging.level.org.springframework.web.socket.messaging=off'];
        const broker = new Program('/usr/bin/env', ['java', ...JAVA, 'stomp.Broker', ...options]);
        after(() => broker.kill());
        const [, port] = await broker.until(() => /Tomcat started on port (\d+)/.exec(broker.log));
        const url = `http://127.0.0.1:${port}`;
        return new Spring(url, url);
    }

    get stomp() {
        return `${this.url.replace('http', 'ws')}/ws`;
    }
}

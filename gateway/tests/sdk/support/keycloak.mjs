// Keycloak as identity provider. `./justw test-identity` installs it, and names its folder in KEYCLOAK.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { Program, ROOT, freePort } from './program.mjs';

/** The longest start, in milliseconds. */
const START_LIMIT = 120_000;
const REALM = readFileSync(new URL('keycloak-realm.json', import.meta.url), 'utf8');
const PASSWORD = 'only-for-tests';
const CLIENT = 'shop-web';
/** What the realm and the page have in place of the addresses of a test. */
const [PAGE, LOGOUT_URI] = ['https://login.example.com/realms/shop', 'https://chat.example/oidc/backchannel-logout'];

/** The settings that docs/tokens.md shows for Keycloak. */
function documented() {
    const [, section] = readFileSync(join(ROOT, 'docs/tokens.md'), 'utf8').split('\n### Keycloak\n');
    return /```toml\n([^]*?)```/.exec(section)[1];
}

/** A server with the realms of the tests of a file. */
export class Keycloak {
    /** Starts a server for a test file. */
    static async start() {
        const home = process.env.KEYCLOAK;
        if (!home) throw new Error('KEYCLOAK names no folder of Keycloak: run ./justw test-identity, which installs it');
        const keycloak = new Keycloak();
        const port = await freePort();
        keycloak.url = `http://127.0.0.1:${port}`;
        const options = ['start', '--optimized', '--cache=local', '--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${keycloak.url}`];
        const program = new Program('/bin/sh', [join(home, 'bin/kc.sh'), ...options], {
            KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: PASSWORD, JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
        });
        after(() => program.stop());
        await program.until(() => fetch(`${keycloak.url}/realms/master`).then(({ ok }) => ok, () => false), START_LIMIT);
        return keycloak;
    }

    /** Names a realm for a test. */
    async open() {
        return new Realm(this, `shop-${randomBytes(4).toString('hex')}`);
    }

    /** Sends a request of an administrator, which must succeed. Resolves to the answer. */
    async administer(method, path, body) {
        const { access_token: token } = await post(`${this.url}/realms/master/protocol/openid-connect/token`, {
            grant_type: 'password', client_id: 'admin-cli', username: 'admin', password: PASSWORD,
        });
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        return succeeded(await fetch(`${this.url}/admin/realms${path}`, { method, headers, body: body && JSON.stringify(body) }));
    }
}

/** A realm as an identity provider. It has the methods of the one in `identity.mjs`. */
class Realm {
    #keycloak;
    #name;
    /** The component that has the present key. */
    #key;

    constructor(keycloak, name) {
        this.#keycloak = keycloak;
        this.#name = name;
        this.issuer = `${keycloak.url}/realms/${name}`;
    }

    get settings() {
        return documented().replaceAll(PAGE, this.issuer);
    }

    async serve(logoutUri) {
        const realm = JSON.parse(REALM.replace(LOGOUT_URI, logoutUri));
        await this.#keycloak.administer('POST', '', { realm: this.#name, ...realm });
    }

    async rotate() {
        this.#key = `key-${randomBytes(4).toString('hex')}`;
        const config = { priority: ['200'], enabled: ['true'], active: ['true'], algorithm: ['RS256'], keySize: ['2048'] };
        await this.administer('POST', '/components', { name: this.#key, providerType: KEYS, providerId: 'rsa-generated', config });
    }

    async disable() {
        const components = await this.administer('GET', `/components?type=${KEYS}`);
        for (const { config, ...component } of components.filter(({ name, providerId }) => providerId === 'rsa-generated' && name !== this.#key)) {
            await this.administer('PUT', `/components/${component.id}`, { ...component, config: { ...config, enabled: ['false'], active: ['false'] } });
        }
    }

    browser() {
        return new Session(this.issuer);
    }

    /** Resolves to the access token of the service `shop-jobs`. */
    async tokenOfService() {
        const { access_token: token } = await post(`${this.issuer}/protocol/openid-connect/token`, {
            grant_type: 'client_credentials', client_id: 'shop-jobs', client_secret: PASSWORD,
        });
        return token;
    }

    /** Sends a request of an administrator about this realm. */
    administer(method, path, body) {
        return this.#keycloak.administer(method, `/${this.#name}${path}`, body);
    }
}

const KEYS = 'org.keycloak.keys.KeyProvider';

/** A user's session. */
class Session {
    #issuer;
    #refreshToken;

    constructor(issuer) {
        this.#issuer = issuer;
    }

    /** Logs in with a password. Resolves to the access token. */
    async logIn(user) {
        const answer = await post(`${this.#issuer}/protocol/openid-connect/token`, {
            grant_type: 'password', client_id: CLIENT, username: user, password: PASSWORD, scope: 'openid',
        });
        this.#refreshToken = answer.refresh_token;
        return answer.access_token;
    }

    /** Logs out. Resolves when the provider has notified the application. */
    async logOut() {
        await post(`${this.#issuer}/protocol/openid-connect/logout`, { client_id: CLIENT, refresh_token: this.#refreshToken });
    }
}

/** Sends a form. Resolves to the answer, which must be a success. */
const post = async (address, fields) => succeeded(await fetch(address, { method: 'POST', body: new URLSearchParams(fields) }));

/** Resolves to the JSON of an answer, if it has some. */
async function succeeded(response) {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.url}: ${response.status}: ${text}`);
    return text && JSON.parse(text);
}

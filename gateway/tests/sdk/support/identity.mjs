// A real identity provider (npm oidc-provider), and a user who logs in and out of it as a browser would.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const CLIENT = 'chat';
const REDIRECT = 'https://chat.example/signed-in';

/** An identity provider whose one client is the application `chat`. `keycloak.mjs` has another one, with the same methods. */
export class IdentityProvider {
    #server;
    #logoutUri;
    /** The keys that it publishes. The first one signs. */
    #keys = [];
    #answer;

    /** Reserves the address of a provider, which its settings and those of others need. It ends with the test. */
    static async open(t) {
        const provider = new IdentityProvider();
        const notYet = (request, response) => response.writeHead(503).end();
        provider.#server = createServer((request, response) => (provider.#answer ?? notYet)(request, response));
        provider.#server.listen(0, '127.0.0.1');
        await once(provider.#server, 'listening');
        t.after(() => provider.#server.close());
        provider.issuer = `http://127.0.0.1:${provider.#server.address().port}`;
        return provider;
    }

    /** What a gateway needs in its settings to accept the tokens. */
    get settings() {
        return `
            [[tokens.issuers]]
            issuer = "${this.issuer}"
            audiences = ["chat"]
            jwks_url = "${this.issuer}/jwks"
            backchannel_logout = true`;
    }

    /** Begins to serve. The provider tells `logoutUri` when somebody logs out. */
    async serve(logoutUri) {
        this.#logoutUri = logoutUri;
        await this.rotate();
    }

    /** Signs with a new key from now on. It still publishes the former one. */
    async rotate() {
        const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
        const key = await crypto.subtle.exportKey('jwk', privateKey);
        this.#use([{ ...key, use: 'sig', kid: randomUUID() }, ...this.#keys]);
    }

    /** No longer publishes the keys before the present one. */
    async disable() {
        this.#use(this.#keys.slice(0, 1));
    }

    /** Sets the provider up with these keys. It forgets who has logged in. */
    #use(keys) {
        this.#keys = keys;
        const provider = new Provider(this.issuer, {
            clients: [{
                client_id: CLIENT,
                token_endpoint_auth_method: 'none',
                redirect_uris: [REDIRECT],
                grant_types: ['authorization_code'],
                id_token_signed_response_alg: 'ES256',
                backchannel_logout_uri: this.#logoutUri,
                backchannel_logout_session_required: true,
            }],
            jwks: { keys },
            features: { backchannelLogout: { enabled: true } },
            findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
            // The provider's own client refuses addresses of this machine.
            fetch: (url, { dispatcher, ...options }) => fetch(url, options),
        });
        provider.on('backchannel.error', (ctx, error) => { throw error; });
        this.#answer = provider.callback();
    }

    /** Opens a browser in which nobody has logged in. */
    browser() {
        return new Browser(this.issuer);
    }
}

/** A browser: it keeps cookies, follows redirects and fills in forms. */
class Browser {
    #cookies = new Map();
    #issuer;

    constructor(issuer) {
        this.#issuer = issuer;
    }

    /** Logs in. Resolves to the id token, which names user and session. */
    async logIn(user) {
        const verifier = 'a'.repeat(50);
        const challenge = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))).toString('base64url');
        const query = new URLSearchParams({
            client_id: CLIENT, response_type: 'code', redirect_uri: REDIRECT, scope: 'openid', code_challenge: challenge, code_challenge_method: 'S256', state: 's',
        });
        let page = await this.#open(`${this.#issuer}/auth?${query}`);
        for (const fields of [{ prompt: 'login', login: user, password: 'any' }, { prompt: 'consent' }]) {
            if (page.code) break;
            page = await this.#open(page.form, new URLSearchParams(fields));
        }
        const form = new URLSearchParams({ grant_type: 'authorization_code', code: page.code, redirect_uri: REDIRECT, client_id: CLIENT, code_verifier: verifier });
        const answer = await fetch(`${this.#issuer}/token`, { method: 'POST', body: form });
        return (await answer.json()).id_token;
    }

    /** Logs out. Resolves when the provider has notified the application. */
    async logOut() {
        const page = await this.#open(`${this.#issuer}/session/end`);
        const secret = /name="xsrf" value="([^"]+)"/.exec(page.text)[1];
        await this.#open(page.form, new URLSearchParams({ xsrf: secret, logout: 'yes' }));
    }

    /** Opens a page. Resolves to its text, the address of its form, or the code with which the provider sends the browser back. */
    async #open(address, body) {
        const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await fetch(address, { method: body ? 'POST' : 'GET', body, redirect: 'manual', headers: { cookie } });
        for (const line of response.headers.getSetCookie()) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            this.#cookies.set(name, value);
        }
        const to = response.headers.get('location');
        if (to?.startsWith(REDIRECT)) return { code: new URL(to).searchParams.get('code') };
        if (to) return this.#open(new URL(to, address).href);
        const text = await response.text();
        if (!response.ok) throw new Error(`${address}: ${response.status}: ${text}`);
        const form = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
        return { text, form: form && new URL(form, address).href };
    }
}

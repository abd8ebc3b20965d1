// Certificates of an authority that exists for one test, made by openssl.

import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export class Authority {
    #folder;

    /** Makes an authority. Its files are deleted after the test. */
    static async create(t) {
        const authority = new Authority();
        authority.#folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
        t.after(() => rm(authority.#folder, { recursive: true }));
        authority.#openssl('req', '-x509', ...EC, '-days', '2', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.crt');
        return authority;
    }

    /** The file with the authority's own certificate. */
    get file() {
        return join(this.#folder, 'ca.crt');
    }

    /** Makes a certificate for this subject alternative name, such as `DNS:bot`. Returns its files. */
    sign(name) {
        const stem = name.replaceAll(/\W/g, '-');
        const [request, cert, key] = ['csr', 'crt', 'key'].map((kind) => `${stem}.${kind}`);
        this.#openssl('req', ...EC, '-subj', '/CN=test', '-addext', `subjectAltName=${name}`, '-keyout', key, '-out', request);
        const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy'];
        this.#openssl('x509', '-req', '-in', request, ...signed, '-out', cert);
        return { cert: join(this.#folder, cert), key: join(this.#folder, key) };
    }

    #openssl(...words) {
        execFileSync('openssl', words, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
    }
}

// JSON Web Tokens, signed with HS256 (RFC 7515).

import { createHmac } from 'node:crypto';

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The time in `seconds` from now, in seconds since 1970 with a fraction. */
export const inSeconds = (seconds) => Date.now() / 1000 + seconds;

/** Returns a signed token with these claims. It is valid for an hour unless they say something else. */
export function token(claims, secret = 'dev-secret') {
    const signed = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({ exp: inSeconds(3600), ...claims })}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

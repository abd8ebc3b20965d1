// Secrets of a test, as README.md tells the operator to make them.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../testing/processes.mjs';

const random = () => randomBytes(24).toString('hex');

/** A certificate for this name with its key, in PEM. It is its own authority. */
function certificate(name) {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-secrets-'));
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => join(folder, name));
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=test',
    '-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=DNS:${name}`];
  const openssl = execFileSync(join(ROOT, 'deploy/native/requirement'), ['openssl'], { encoding: 'utf8' }).trim();
  execFileSync(openssl, ['req', ...options, '-out', cert, '-keyout', key], { stdio: 'ignore' });
  const files = { 'ca.crt': readFileSync(cert, 'utf8'), 'tls.crt': readFileSync(cert, 'utf8'), 'tls.key': readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  return files;
}

/** The Secrets that a set of values names, and all words that nobody may see. */
export function secretsFor(set) {
  const [bot, notifier, operator, callers, password, sentinel, hmac] = Array.from({ length: 7 }, random);
  const urls = { 'sentinel-secret': `redis+sentinel://gateway:${password}@sentinel-0.redis:26379,sentinel-1.redis:26379/mymaster` };
  const keys = [
    `chatbot=${bot} link:chatbot publish:chat:* publish:stream:* read:chat:* read:stream:* presence:chat:*`,
    `notifier=${notifier} publish read`,
    `operator=sha256:${createHash('sha256').update(operator).digest('hex')} publish read presence users connections revoke queues admin`,
  ];
  const gateway = { hmac_secret: hmac, api_keys: keys.map((line) => `${line}\n`).join('') };
  const redis = { redis_url: urls[set] ?? `redis://:${password}@redis:6379`, sentinel_password: sentinel };
  const services = { chatbot_api_key: bot, notifier_api_key: notifier, notifier_callers: callers };
  const webhook = `whsec_${randomBytes(32).toString('base64')}`;
  const secrets = {
    switchboard: { ...gateway, ...redis, ...services },
    'switchboard-gateway': gateway,
    'switchboard-redis': redis,
    'switchboard-chatbot': services,
    'switchboard-notifier': services,
    shop: { webhook },
  };
  if (set === 'sentinel') secrets['redis-tls'] = certificate('redis');
  if (set === 'tls') Object.assign(secrets, { 'ws-example-com': certificate('ws.example.com'), 'gateway-internal': certificate('gateway.internal') });
  return { secrets, password, operator, callers, words: [bot, notifier, operator, callers, password, sentinel, hmac, webhook] };
}

// Secrets of a test, as README.md tells the operator to make them.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../testing/processes.mjs';

const random = () => randomBytes(24).toString('hex');

/** A certificate with its key, in PEM. */
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-secrets-'));
  const [cert, key] = ['tls.crt', 'tls.key'].map((name) => join(folder, name));
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=redis'];
  const openssl = execFileSync(join(ROOT, 'deploy/native/requirement'), ['openssl'], { encoding: 'utf8' }).trim();
  execFileSync(openssl, ['req', ...options, '-out', cert, '-keyout', key], { stdio: 'ignore' });
  const files = { 'ca.crt': readFileSync(cert, 'utf8'), 'tls.crt': readFileSync(cert, 'utf8'), 'tls.key': readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  return files;
}

/** The Secrets that a set of values names, and all words that nobody may see. */
export function secretsFor(set) {
  const [bot, notifier, callers, password, sentinel, hmac] = Array.from({ length: 6 }, random);
  const urls = { 'sentinel-secret': `redis+sentinel://gateway:${password}@sentinel-0.redis:26379,sentinel-1.redis:26379/mymaster` };
  const gateway = { hmac_secret: hmac, api_keys: `chatbot=${bot}\nnotifier=${notifier}\n` };
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
  if (set === 'sentinel') secrets['redis-tls'] = certificate();
  return { secrets, password, callers, words: [bot, notifier, callers, password, sentinel, hmac, webhook] };
}

/** The running stack that is tested, from the environment. */

const NEEDED = {
  SWITCHBOARD_URL: 'the gateway\'s public address, such as http://127.0.0.1:8000',
  SWITCHBOARD_API: 'the gateway\'s internal address, such as http://127.0.0.1:8001',
  NOTIFIER_URL: 'the notifier\'s address, such as http://127.0.0.1:8200',
};

const missing = Object.keys(NEEDED).filter((name) => !process.env[name]);
if (missing.length > 0) {
  const lines = missing.map((name) => `  ${name}: ${NEEDED[name]}`);
  throw new Error(`These tests need a running stack. Set\n${lines.join('\n')}`);
}

const url = (name) => process.env[name].replace(/\/+$/, '');
export const page = `${url('SWITCHBOARD_URL')}/`;
const api = url('SWITCHBOARD_API');
const notifier = url('NOTIFIER_URL');
const PAGE = 100;
const key = process.env.SWITCHBOARD_API_KEY ?? 'dev';

async function request(method, address, body) {
  const response = await fetch(address, {
    method,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${address} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

/** All publications in the channel's history, oldest first. */
export async function history(channel) {
  const address = `${api}/v1/channels/${encodeURIComponent(channel)}/publications?order=asc&limit=${PAGE}`;
  const all = [];
  for (let since = ''; ;) {
    const page = await request('GET', `${address}${since}`);
    all.push(...page.publications);
    const last = page.publications.at(-1)?.offset ?? page.offset;
    if (last >= page.offset) return all;
    since = `&since=${encodeURIComponent(`${page.epoch}:${last}`)}`;
  }
}

/** Publishes to a channel as a service. */
export function publish(channel, data) {
  return request('POST', `${api}/v1/channels/${encodeURIComponent(channel)}/publications`, { data });
}

/** Sends a notification through the notifier. */
export function notify(user, title, level = 'info') {
  return request('POST', `${notifier}/v1/notifications`, { user, title, body: `About ${title}`, level });
}

/** A name or text that no other run uses. */
export const unique = (prefix) => `${prefix}-${Math.random().toString(36).slice(2, 9)}`;

/** Ends the connections of a user for good, as a service. */
export function disconnect(user) {
  return request('DELETE', `${api}/v1/users/${encodeURIComponent(user)}/connections?code=3503`);
}

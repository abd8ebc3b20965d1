// A gateway for STOMP frontends, with the settings of the guide (docs/protocols/stomp.md).

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { ownGateway } from './gateway.mjs';
import { ROOT } from './program.mjs';
import { Service } from './service.mjs';

/** The settings of a gateway in the place of a simple broker. */
const SETTINGS = join(ROOT, 'gateway/config/stomp.toml');
const OPTIONS = { 'public.allowed_origins': '*' };
const SERVICE = '\n[services.shop]\nreach = "link"\n';

/** What the service `shop` answers. */
function answer({ id, method, data }) {
    if (method !== 'price') return { error: { id, code: 404, message: `no method ${method}` } };
    return { reply: { id, data: { item: data?.item ?? 'everything', price: 42 } } };
}

/** Starts a gateway and the service `shop`, which both stop after `t`. `settings` (TOML) follow those of the guide; `options` override them. */
export async function stompGateway(t = { after }, { settings = '', options = {} } = {}) {
    const guide = await readFile(SETTINGS, 'utf8');
    const gateway = await ownGateway(t, guide + SERVICE + settings, { ...OPTIONS, ...options });
    gateway.service = await Service.start(t, gateway, 'shop', { answer });
    return gateway;
}

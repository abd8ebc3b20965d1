/** The version of the gateway and links to its documentation, on the first screen and in the panel. */

import { h, show } from './dom.js';
import { safeLink } from './links.js';

const link = (href, text) => h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, text);

/** Fills the lines of class `about`. They stay hidden if the gateway does not say its version. */
export async function showAbout() {
  const { version, api } = await about();
  if (!version) return;
  const base = safeLink(api);
  for (const line of document.querySelectorAll('.about')) {
    line.append(`Switchboard ${version}`);
    if (base) line.append(' · ', link(new URL('docs/', base).href, 'Documentation of the API'), ' · ', link(new URL('openapi.json', base).href, 'OpenAPI'));
    show(line, true);
  }
}

async function about() {
  try {
    const response = await fetch('demo/nodes', { signal: AbortSignal.timeout(5_000) });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

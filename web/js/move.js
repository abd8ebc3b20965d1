/** Moving a tab to another node. What it takes along stands in the address's fragment, which no server is ever sent. */

/** The page of the node at `url`, as it is for this user: signed in, in these colours, with what was read. */
export function wayTo(url, { user, theme, read = [] }) {
  const luggage = new URLSearchParams({ as: user });
  if (theme) luggage.set('theme', theme);
  for (const id of read) luggage.append('read', id);
  return `${url.replace(/\/+$/, '')}/#${luggage}`;
}

/** What a tab that was moved here brought: who it is, and what was read. The address is clean from then on. */
export function arrive({ location, history } = globalThis) {
  const luggage = new URLSearchParams(location.hash.slice(1));
  if (!luggage.has('as')) return { user: '', read: [] };
  history.replaceState(history.state, '', location.pathname + location.search);
  return { user: luggage.get('as'), read: luggage.getAll('read') };
}

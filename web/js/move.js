/** Moves a tab to another node. Its data is in the fragment of the address, which browsers do not send to servers. */

/** The address of the page at the node `url`, with user, colours and ids of read notifications. */
export function moveUrl(url, { user, theme, read = [] }) {
  const data = new URLSearchParams({ as: user });
  if (theme) data.set('theme', theme);
  for (const id of read) data.append('read', id);
  return `${url.replace(/\/+$/, '')}/#${data}`;
}

/** Reads the user and the ids of read notifications from the address of a moved tab, and removes them from the address. */
export function takeMovedState({ location, history } = globalThis) {
  const data = new URLSearchParams(location.hash.slice(1));
  if (!data.has('as')) return { user: '', read: [] };
  history.replaceState(history.state, '', location.pathname + location.search);
  return { user: data.get('as'), read: data.getAll('read') };
}

/** Moves a tab to another node. Its data is in the fragment of the address, which browsers do not send to servers. */

/** Largest number of bytes that unsent text takes in the address. Every browser accepts addresses of this length. */
export const UNSENT_BYTES = 60_000;

/** The bytes of a text in the address. */
const encodedBytes = (text) => new URLSearchParams({ line: text }).toString().length;

/**
 * What fits into the address: the text of the field and the lines, in their order, as `{ draft, lines, left }`. `left` is the number
 * of texts that stay here.
 */
export function fitting({ draft, lines }, bytes = UNSENT_BYTES) {
  let free = bytes - encodedBytes(draft);
  const hasDraft = free >= 0;
  if (!hasDraft) free = bytes;
  let count = 0;
  for (const line of lines) {
    free -= encodedBytes(JSON.stringify(line));
    if (free < 0) break;
    count += 1;
  }
  return { draft: hasDraft ? draft : '', lines: lines.slice(0, count), left: lines.length - count + (hasDraft ? 0 : 1) };
}

/** The address of the page at the node `url`, with user, colours, transport, ids of read notifications, and unsent text. */
export function moveUrl(url, { user, theme, transport, read = [], draft = '', lines = [], left = 0 }) {
  const data = new URLSearchParams({ as: user });
  if (theme) data.set('theme', theme);
  if (transport) data.set('transport', transport);
  for (const id of read) data.append('read', id);
  if (draft !== '') data.set('draft', draft);
  for (const line of lines) data.append('line', JSON.stringify(line));
  if (left > 0) data.set('left', left);
  return `${url.replace(/\/+$/, '')}/#${data}`;
}

function lineFrom(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** Reads the data of a moved tab from its address, and removes it from the address. `lines` is null if the tab has not moved. */
export function takeMovedState({ location, history } = globalThis) {
  const data = new URLSearchParams(location.hash.slice(1));
  if (!data.has('as')) return { user: '', transport: null, read: [], draft: '', lines: null, left: 0 };
  history.replaceState(history.state, '', location.pathname + location.search);
  const left = Number(data.get('left'));
  return {
    user: data.get('as'),
    transport: data.get('transport'),
    read: data.getAll('read'),
    draft: data.get('draft') ?? '',
    lines: data.getAll('line').map(lineFrom),
    left: Number.isSafeInteger(left) ? left : 0,
  };
}

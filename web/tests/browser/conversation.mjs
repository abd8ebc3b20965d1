/** Computes what the page must show for a channel's history, without the page's code. */

/** One entry for each id, where the id first appeared, with the complete text as shown. */
export function expected(publications) {
  const lines = new Map();
  for (const { data } of publications) {
    if (data.kind === 'stream' && !lines.has(data.id)) lines.set(data.id, { id: data.id, from: data.from, text: null });
    if (data.kind === 'message') {
      const known = lines.get(data.id);
      if (known) known.text = data.text.trimEnd();
      else lines.set(data.id, { id: data.id, from: data.from, text: data.text.trimEnd() });
    }
  }
  return [...lines.values()];
}

/** The part of a list from this id on. */
export function since(list, id) {
  return list.slice(list.findIndex((line) => line.id === id));
}

/** Records in `window.shown` every text that an entry shows from now on. */
export function record(tab, id) {
  return tab.evaluate((entryId) => {
    const text = document.querySelector(`#messages > li[data-id="${entryId}"] .entry-text`);
    globalThis.shown = [text.textContent];
    new MutationObserver(() => globalThis.shown.push(text.textContent)).observe(text, { childList: true, characterData: true, subtree: true });
  }, id);
}

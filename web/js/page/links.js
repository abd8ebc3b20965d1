/** Links from data. */

/** A link that is safe to follow, or null. */
export function safeLink(link, base = globalThis.location?.href) {
  if (typeof link !== 'string' || link === '') return null;
  try {
    const url = new URL(link, base);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}

/** The levels of a notice. Each has a word and an icon of its own, so that nobody has to tell them by their colours. */

export const LEVELS = {
  info: { word: 'Information', icon: 'info' },
  success: { word: 'Success', icon: 'check' },
  warning: { word: 'Warning', icon: 'warning' },
  error: { word: 'Error', icon: 'error' },
  news: { word: 'News', icon: 'news' },
};

/** The level of a notification. Maps `warn`, `critical` and similar names; anything else is information. */
export function levelOf(name) {
  const word = String(name ?? '').toLowerCase();
  if (word === 'success' || word === 'error') return word;
  if (word.startsWith('warn')) return 'warning';
  return word === 'critical' || word === 'fatal' ? 'error' : 'info';
}

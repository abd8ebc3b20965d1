/** Light or dark: the system's choice until the reader makes one. */

const KEY = 'switchboard.theme';

const current = () => document.documentElement.dataset.theme
  ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

const buttons = () => document.querySelectorAll('[data-do="theme"]');

function label() {
  for (const button of buttons()) button.setAttribute('aria-label', current() === 'dark' ? 'Use light colours' : 'Use dark colours');
}

function toggle() {
  const theme = current() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(KEY, theme);
  label();
}

/** What the reader chose, if anything. */
export const chosenTheme = () => document.documentElement.dataset.theme;

/** Makes the buttons work. */
export function wireTheme() {
  for (const button of buttons()) button.addEventListener('click', toggle);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();
}

/** Light or dark: the system's theme until the user chooses one. */

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

/** The theme that the user chose, if any. */
export const chosenTheme = () => document.documentElement.dataset.theme;

/** Connects the buttons. */
export function wireTheme() {
  for (const button of buttons()) button.addEventListener('click', toggle);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();
}

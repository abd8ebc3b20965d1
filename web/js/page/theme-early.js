// Runs before the first paint, so that the page does not flash in the wrong theme. A tab from another node brings its theme along.
try {
  const movedTheme = new URLSearchParams(location.hash.slice(1)).get('theme');
  if (movedTheme) localStorage.setItem('switchboard.theme', movedTheme);
  const theme = localStorage.getItem('switchboard.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the page uses the system's theme.
}

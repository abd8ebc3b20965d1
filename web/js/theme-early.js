// Runs before the first paint, so that a chosen theme does not flash. A tab that comes from another node brings its own.
try {
  const brought = new URLSearchParams(location.hash.slice(1)).get('theme');
  if (brought) localStorage.setItem('switchboard.theme', brought);
  const theme = localStorage.getItem('switchboard.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the system's choice holds.
}

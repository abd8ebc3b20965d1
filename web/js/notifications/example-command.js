/** A command line that notifies this user. It escapes all special characters of the name. */
export function commandFor(user) {
  const body = JSON.stringify({ user, title: 'Hello', body: 'From the command line', level: 'info' }).replaceAll("'", String.raw`'\''`);
  return `curl -X POST http://127.0.0.1:8200/v1/notifications -H 'Content-Type: application/json' -d '${body}'`;
}

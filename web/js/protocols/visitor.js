/** Who looks at a small page: the user of the demo in this browser, or else a guest with a name of this tab. */

import { nameProblem, storedUser } from '../sign-in/session.js';

const GUEST_KEY = 'switchboard.guest';

function guest() {
  const name = sessionStorage.getItem(GUEST_KEY) ?? `guest-${Math.random().toString(36).slice(2, 6)}`;
  sessionStorage.setItem(GUEST_KEY, name);
  return name;
}

/** The name of the visitor. */
export function visitor() {
  const known = storedUser.current() ?? storedUser.last() ?? '';
  return nameProblem(known) === '' ? known : guest();
}

/** The first screen, which asks for a name. */

import { announce } from '../page/announce.js';
import { byId, isAvailable, setAvailable, show, write } from '../page/dom.js';
import { limitText, lengthOf } from '../page/limit.js';
import { demoToken, NAME_LIMIT, nameProblem, storedUser } from './session.js';

function showProblem(text) {
  write(byId('name-problem'), text);
  show(byId('name-problem'), text !== '');
  const field = byId('name');
  field.setAttribute('aria-invalid', String(text !== ''));
  if (text !== '') field.focus();
}

/** Shows how long the name is, near the limit. A screen reader announces when the name passes the limit. */
function showLength() {
  const counter = byId('name-count');
  const name = byId('name').value.trim();
  const isOver = lengthOf(name) > NAME_LIMIT;
  if (isOver && !counter.classList.contains('over')) announce(`A name has at most ${NAME_LIMIT} characters.`);
  write(counter, limitText(name, NAME_LIMIT));
  counter.classList.toggle('over', isOver);
}

/** While the page waits, the button cannot be used, but it keeps the focus. */
function setBusy(busy) {
  setAvailable(byId('enter'), !busy);
  write(byId('enter-text'), busy ? 'Connecting…' : 'Connect');
}

/** A token for the user; null if there is none, with the reason on the page. */
async function tokenFor(user) {
  setBusy(true);
  try {
    return await demoToken(user);
  } catch (error) {
    showProblem(error.message);
    return null;
  } finally {
    setBusy(false);
  }
}

/** Resolves with the user and a first token. `moved` is the user that the tab had on another node; with it, or after a reload, the user need not enter a name. */
export async function signIn(moved) {
  const user = nameProblem(moved) === '' ? moved : storedUser.current();
  if (user && nameProblem(user) === '') {
    const token = await tokenFor(user);
    if (token !== null) {
      storedUser.store(user);
      return { user, token };
    }
  }
  show(byId('sign-in'), true);
  byId('name').value = user ?? storedUser.last() ?? '';
  showLength();
  byId('name').select();
  byId('name').focus();
  return new Promise((resolve) => {
    byId('name').addEventListener('input', showLength);
    byId('sign-in-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      if (!isAvailable(byId('enter'))) return;
      const name = byId('name').value.trim();
      const problem = nameProblem(name);
      showProblem(problem);
      if (problem !== '') return;
      const token = await tokenFor(name);
      if (token === null) return;
      storedUser.store(name);
      resolve({ user: name, token });
    });
  });
}

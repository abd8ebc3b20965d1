/** The first screen, which asks for a name. */

import { byId, show, write } from './dom.js';
import { demoToken, nameProblem, storedUser } from './session.js';

function showProblem(text) {
  write(byId('name-problem'), text);
  show(byId('name-problem'), text !== '');
  const field = byId('name');
  field.setAttribute('aria-invalid', String(text !== ''));
  if (text !== '') field.focus();
}

function setBusy(busy) {
  byId('enter').disabled = busy;
  write(byId('enter-text'), busy ? 'Connecting…' : 'Connect');
}

/** A token for the user; null if there is none, with the reason on the page. */
async function tokenFor(user) {
  setBusy(true);
  try {
    return await demoToken(user);
  } catch (error) {
    const isRefusal = error instanceof globalThis.Centrifuge.UnauthorizedError;
    showProblem(isRefusal ? error.message : 'The gateway does not answer. Is it running?');
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
  byId('name').select();
  byId('name').focus();
  return new Promise((resolve) => {
    byId('sign-in-form').addEventListener('submit', async (event) => {
      event.preventDefault();
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

/** The example command in the empty inbox, with a button that copies it. */

import { announce } from '../page/announce.js';
import { byId, write } from '../page/dom.js';
import { commandFor } from './example-command.js';

const RESULT_SHOWN_FOR = 4_000;
const LABEL = 'Copy the command';

/** Fills in the command for this user and connects the button. */
export function wireExample(user) {
  const command = commandFor(user);
  let timer = 0;
  const showResult = (text) => {
    write(byId('copy-text'), text);
    announce(text);
    clearTimeout(timer);
    timer = setTimeout(() => write(byId('copy-text'), LABEL), RESULT_SHOWN_FOR);
  };
  write(byId('example'), command);
  write(byId('copy-text'), LABEL);
  byId('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(command);
      showResult('Copied');
    } catch {
      getSelection().selectAllChildren(byId('example'));
      showResult('Not copied. The command is selected: copy it.');
    }
  });
}

// The field for a new line and its limit.

import assert from 'node:assert/strict';
import test from 'node:test';
import { faultyNetwork } from './chromium.mjs';
import { demoGateway } from './demo-gateway.mjs';
import { tabsOfFile } from './tabs.mjs';

const { newContext, signedIn } = tabsOfFile();

test('text above the limit stays in the field, is counted and not sent', async (t) => {
  const gateway = await demoGateway(t);
  const context = await newContext();
  const network = await faultyNetwork(context);
  network.answers['chatbot.say'] = ({ id }) => ({ data: { message: id } });
  const tab = await signedIn({ context, address: `${gateway.url}/` });
  const field = tab.locator('#message-field');
  const count = tab.locator('#message-count');
  const problem = tab.locator('#message-problem');

  await field.fill('x'.repeat(1_000));
  assert.equal(await count.isVisible(), false);
  await field.fill('x'.repeat(1_899));
  await field.press('x');
  await count.filter({ hasText: '1900 of 2000 characters' }).waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'false');

  await field.fill('');
  await tab.keyboard.insertText('x'.repeat(3_000));
  assert.equal((await field.inputValue()).length, 3_000, 'nothing is cut');
  await count.filter({ hasText: '3000 of 2000 characters' }).waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  await tab.locator('#send').click();
  await problem.filter({ hasText: 'Remove 1,000 characters' }).waitFor();
  assert.equal((await field.inputValue()).length, 3_000);
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'message-field');
  const description = await field.evaluate((element) => element.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).textContent).join(' '));
  assert.match(description, /too long.*3000 of 2000/);
  assert.equal(network.callsOf('chatbot.say').length, 0);

  await field.fill('x'.repeat(2_000));
  assert.equal(await problem.isVisible(), false);
  await tab.locator('#send').click();
  await tab.waitForFunction(() => document.getElementById('message-field').value === '');
  assert.equal(network.callsOf('chatbot.say')[0].text.length, 2_000);
  assert.equal(await count.isVisible(), false);
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'message-field');
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

const VENDOR = new URL('../../vendor/', import.meta.url);

test('foreign libraries are as released: each has its licence, and the checksum that its page says', () => {
  const folders = readdirSync(VENDOR);
  assert.ok(folders.length >= 2);
  for (const folder of folders) {
    const own = new URL(`${folder}/`, VENDOR);
    assert.ok(existsSync(new URL('LICENSE', own)), `${folder} has its licence`);
    const page = readFileSync(new URL('README.md', own), 'utf8');
    const sums = Object.fromEntries([...page.matchAll(/SHA-256 of `([^`]+)` \| `([0-9a-f]{64})`/g)].map(([, file, sum]) => [file, sum]));
    const scripts = readdirSync(own).filter((file) => file.endsWith('.js'));
    assert.deepEqual(Object.keys(sums), scripts, folder);
    for (const file of scripts) assert.equal(createHash('sha256').update(readFileSync(new URL(file, own))).digest('hex'), sums[file], file);
  }
});

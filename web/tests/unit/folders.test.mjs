import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

const SCRIPTS = new URL('../../js/', import.meta.url);

/** The folders of the scripts, each with the folders that it imports from. */
function imports() {
  const folders = readdirSync(SCRIPTS, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return new Map(folders.map((folder) => {
    const own = new URL(`${folder}/`, SCRIPTS);
    const sources = readdirSync(own).map((file) => readFileSync(new URL(file, own), 'utf8'));
    return [folder, new Set(sources.flatMap((source) => [...source.matchAll(/from '\.\.\/([^/']+)\//g)].map(([, from]) => from)))];
  }));
}

test('the folders of the scripts import from each other without circles', () => {
  const left = imports();
  assert.ok(left.get('conversation').has('page'), 'imports are found');
  for (let size = 0; size !== left.size;) {
    size = left.size;
    for (const [folder, from] of left) if ([...from].every((each) => !left.has(each))) left.delete(folder);
  }
  assert.deepEqual([...left.keys()], [], 'these folders are in a circle');
});

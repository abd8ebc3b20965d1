// Two builds of the images, in two folders with two folders of crates, at two times, from nothing: the images have the same digests, and the
// symbols the same bytes. It compiles everything twice. Run by `just test-deploy images/reproducible`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from '../../testing/processes.mjs';
import { FOLDER, NAMES, build, copyProject, forgetImages, makeBuilder, removeStore, run } from '../engine.mjs';

const hash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

before(makeBuilder);
after(removeStore);

/** Builds the images with a tag. Returns the digests of the images and the hashes of the symbols. */
async function built(tag, root, crates) {
  const symbols = join(FOLDER, `symbols-${tag}`);
  // Docker's format names the container of the build.
  await build(['--tag', tag, '--symbols', symbols], { root, crates, options: ['--format=oci'] });
  return Object.fromEntries(NAMES.map((name) => {
    const [{ Digest: digest, Id: id }] = JSON.parse(run('podman', ['image', 'inspect', `localhost/switchboard/${name}:${tag}`]));
    return [name, { digest, id, symbols: hash(join(symbols, `${name}.debug`)) }];
  }));
}

test('images have the same bytes', async () => {
  const first = await built('first', ROOT);
  const copy = copyProject('second');
  const file = join(copy, 'deploy/images/Containerfile');
  const text = readFileSync(file, 'utf8');
  const elsewhere = text.replaceAll('WORKDIR /source', 'ENV CARGO_HOME=/another/folder/of/crates TZ=Asia/Tokyo\nWORKDIR /another/folder');
  assert.notEqual(elsewhere, text);
  writeFileSync(file, elsewhere);
  // So the second build finds no result of the first.
  forgetImages();
  const second = await built('second', copy, '/another/folder/of/crates');
  assert.deepEqual(second, first);
});

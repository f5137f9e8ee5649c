import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { writeFiles } from '../../test/harness/chart-repository.ts';
import { helm } from '../../test/harness/helm.ts';
import { temporaryDirectory } from '../../test/harness/process.ts';
import { failure, TestRenderer } from '../../test/harness/render.ts';
import { newSigningKey, type SigningKey, signingWith } from '../../test/harness/signing-key.ts';
import type { SignedChart } from './renderer.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
const directory = temporaryDirectory('signatures');
const repository = 'https://charts.example.com';
const ARCHIVE = 'redis-1.0.0.tgz';
let [mine, theirs, expired]: SigningKey[] = [];
let signed: SignedChart;

before(async () => {
  [mine, theirs, expired] = await Promise.all([
    newSigningKey('Mine'),
    newSigningKey('Theirs'),
    newSigningKey('Old', { made: '48h', lifetime: '24h' }),
  ]);
  signed = await packed('redis', known(mine));
});

function known(key: SigningKey | undefined): SigningKey {
  assert.ok(key, 'keys are there while tests run');
  return key;
}

/** A chart as the real helm packs and signs it; its keyring is that of who signs. */
async function packed(name: string, key: SigningKey): Promise<SignedChart> {
  const source = join(temporaryDirectory('signed-chart'), name);
  await writeFiles(source, {
    'Chart.yaml': `apiVersion: v2\nname: ${name}\nversion: 1.0.0\ndescription: as helm packs it\n`,
  });
  const made = await helm('package', source, '--destination', source, ...signingWith(key));
  assert.equal(made.code, 0, made.stderr);
  const file = `${name}-1.0.0.tgz`;
  const archive = await readFile(join(source, file));
  const provenance = await readFile(join(source, `${file}.prov`));
  return { name, version: '1.0.0', repository, files: [file], archive, provenance, keyring: key.public };
}

/** What `helm verify` makes of the same. */
async function helmTakes({ archive, provenance, keyring }: SignedChart): Promise<boolean> {
  const [file, ring] = [join(directory, ARCHIVE), join(directory, 'keyring')];
  await writeFile(file, archive);
  await writeFile(`${file}.prov`, provenance);
  await writeFile(ring, keyring);
  const { code } = await helm('verify', file, '--keyring', ring);
  return code === 0;
}

async function refused(changes: Partial<SignedChart>, message: RegExp): Promise<void> {
  const chart = { ...signed, ...changes };
  assert.equal(await helmTakes(chart), false, String(message));
  const error = await failure(engine.renderer.verify(chart, never), 'ChartSignatureInvalid');
  assert.match(error.message, message);
}

describe('a signed chart', () => {
  test('is taken where a key of the keyring signed it, as helm verify takes it, in whichever form the keyring is', async () => {
    const both = `${known(theirs).armored}\n${known(mine).armored}`;
    const concatenated = Buffer.concat([known(theirs).public, known(mine).public]);
    for (const keyring of [known(mine).public, concatenated, Buffer.from(both)]) {
      const chart = { ...signed, keyring };
      assert.ok(await helmTakes(chart));
      const { fingerprint, identity } = await engine.renderer.verify(chart, never);
      assert.equal(fingerprint, known(mine).fingerprint);
      assert.match(identity, /^Mine <tests@example\.com>$/);
    }
    const files = ['download', ARCHIVE];
    assert.ok(
      await engine.renderer.verify({ ...signed, files }, never),
      'it may have been renamed on its way',
    );
  });

  test('is refused where another key signed it, which is told with those that there are', async () => {
    await refused(
      { keyring: known(theirs).public },
      new RegExp(
        `^The provenance file of chart redis 1\\.0\\.0 of https://charts\\.example\\.com is signed with the key ${known(mine).fingerprint}, .* that has Theirs <tests@example\\.com> \\(${known(theirs).fingerprint}\\)\\. Ask who publishes`,
      ),
    );
    const old = await packed('redis', known(expired)).catch(() => undefined);
    // Helm may refuse to sign with such a key at all.
    if (old !== undefined) await refused(old, /which has expired/);
  });

  test('S9: is refused where its text, its archive or its signature was changed, or there is none', async () => {
    const text = Buffer.from(signed.provenance).toString();
    await refused(
      { provenance: Buffer.from(text.replace('as helm packs it', 'as I want it')) },
      /is not valid/,
    );
    await refused(
      { archive: Buffer.concat([signed.archive, Buffer.from('x')]) },
      /is signed by Mine .* for another archive: of redis-1\.0\.0\.tgz it has the digest sha256:[0-9a-f]{64}\./,
    );
    const other = await packed('redis', known(theirs));
    const signature = /-----BEGIN PGP SIGNATURE-----[\s\S]*/;
    const [foreign = ''] = signature.exec(Buffer.from(other.provenance).toString()) ?? [];
    await refused({ provenance: Buffer.from(text.replace(signature, foreign)) }, /is signed with the key/);
    for (const none of [
      '',
      'apiVersion: v2',
      text.slice(0, text.length / 2),
      '-----BEGIN PGP SIGNED MESSAGE-----\n\n',
    ])
      await refused({ provenance: Buffer.from(none) }, /has no PGP signature in it/);
  });

  test('S9: is refused in the place of another one, however well it is signed', async () => {
    const other = await packed('nginx', known(mine));
    for (const files of [other.files, [ARCHIVE]])
      assert.match(
        (
          await failure(
            engine.renderer.verify({ ...other, name: 'redis', files }, never),
            'ChartSignatureInvalid',
          )
        ).message,
        files === other.files
          ? /What Mine .* signed for chart redis 1\.0\.0 .* is chart nginx 1\.0\.0/
          : /of redis-1\.0\.0\.tgz it has the digest none\./,
      );
    await failure(engine.renderer.verify({ ...signed, version: '1.0.1' }, never), 'ChartSignatureInvalid');
  });

  test('is not looked at with a keyring that is none, which is told with what to put there', async () => {
    const secret = await readFile(known(mine).secretFile);
    const box = Buffer.concat([Buffer.alloc(8), Buffer.from('KBXf'), Buffer.alloc(20)]);
    for (const [keyring, message] of [
      ['', /there is no key in it\. Put there what `gpg --export`/],
      ['no keys', /^The key keyring of the Secret that spec\.helm\.chart\.verify names/],
      [box, /GnuPG's own keybox/],
      [secret, /a private key in it/],
      [known(mine).armored.slice(0, 200), /no PGP keyring/],
    ] as const) {
      const error = await failure(
        engine.renderer.verify({ ...signed, keyring: Buffer.from(keyring) }, never),
        'ChartKeyringInvalid',
      );
      assert.match(error.message, message);
    }
  });

  test('S9: that is made to take long to read costs its own request at most', async () => {
    const lines = '- - - -----BEGIN PGP SIGNATURE----- : \n';
    const head = '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n';
    const large = Buffer.from(head + lines.repeat(2 ** 20 / lines.length));
    const dashes = Buffer.from(`${head}${'-----BEGIN PGP SIGNED MESSAGE-----\n'.repeat(30_000)}`);
    for (const provenance of [large, dashes])
      await failure(engine.renderer.verify({ ...signed, provenance }, never), 'ChartSignatureInvalid');
    const keyring = Buffer.concat(Array.from({ length: 2_000 }, () => known(theirs).public));
    await failure(engine.renderer.verify({ ...signed, keyring }, never), 'ChartSignatureInvalid');
    assert.ok(await engine.renderer.verify(signed, never));
  });
});

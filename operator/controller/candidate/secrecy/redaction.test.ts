import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { processorMs } from '../../../../test/harness/processor-time.ts';
import { scaled } from '../../../../test/harness/slowness.ts';
import { TowpathError } from '../../../api/errors.ts';
import { Quarantine } from '../quarantine.ts';
import { Redaction } from './redaction.ts';
import { SecretTexts } from './secret-texts.ts';

const object = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'hunter2-config' };

function quarantine(messages: readonly string[]): Quarantine {
  const details = messages.map((message) => ({ object, message }));
  return new Quarantine(
    { revision: 'a' },
    new TowpathError('Person', 'ManifestInvalid', messages[0] ?? '', { details }),
  );
}

describe('S5: values of Secrets are kept out of what the API server says', () => {
  test('S5: as text, by line, quoted and in base64, in messages and names', () => {
    const redaction = new Redaction([
      'password: hunter2\nother: &a s3cr3t-other\nsame: *a\nlist: [0644777, "tab\\there"]\nkey: |\n  first line\n  second line\n',
    ]);
    for (const [said, told] of [
      ['invalid value: hunter2hunter2', 'invalid value: ******'],
      [`data: ${Buffer.from('hunter2').toString('base64')}`, 'data: ***'],
      ['got s3cr3t-other.', 'got ***.'],
      ['got "tab\\there", 0644777 and 215551', 'got "***", *** and ***'],
      ['line second line', 'line ***'],
      ['"first line\\nsecond line\\n"', '"***"'],
      ['password must not be empty', 'password must not be empty'],
      ['got s3cr3t-ot… Correct it in Git.', 'got ***… Correct it in Git.'],
      ['got s3cr3t-and… Correct it in Git.', 'got s3cr3t-and… Correct it in Git.'],
    ] as const)
      assert.equal(redaction.text(said), told);
    const told = redaction.of(quarantine(['hunter2 is wrong'])) as Quarantine;
    assert.deepEqual(told.rejected, {
      revision: 'a',
      errors: [{ object: { ...object, name: '***-config' }, message: '*** is wrong' }],
    });
    assert.equal(told.error.reason, 'ManifestInvalid');
  });

  test('S5: an anchor that is used a thousand times, and one that is used for more than fits', () => {
    const uses = Array.from({ length: 1000 }, () => '*a').join(', ');
    assert.equal(new Redaction([`a: &a hunter2\nb: [${uses}]\n`]).text('got hunter2'), 'got ***');
    const bomb = Array.from({ length: 30 }, (_, level) =>
      level === 0
        ? 'l0: &l0 hunter2\n'
        : `l${level}: &l${level} [${Array(10)
            .fill(`*l${level - 1}`)
            .join(', ')}]\n`,
    );
    assert.equal(new Redaction([bomb.join('')]).text('got hunter2'), 'got ***');
  });

  test('S5: where the values cannot be searched for, nothing is told', () => {
    for (const unusual of [
      `a: hunter2\nb: [${'x,'.repeat(20_000)}]\n`,
      `a: hunter2\nb: ${'x'.repeat(200_000)}\n`,
      `a: hunter2\nb: ${'['.repeat(4_500)}${']'.repeat(4_500)}\n`,
      'a: hunter2\n  b: [\n',
    ]) {
      const redaction = new Redaction([unusual]);
      assert.match(redaction.text('got hunter2'), /^What is wrong cannot be told/);
      const told = redaction.of(quarantine(['got hunter2', 'hunter2'])) as Quarantine;
      assert.ok(!JSON.stringify([told, told.message, told.error.message]).includes('hunter2'));
      assert.equal(told.rejected.errors.length, 2);
    }
  });

  test('S5: many values and many refusals take little time, and every refusal is counted', () => {
    const values = Array.from({ length: 1_400 }, (_, index) => `k${index}: value-of-${index}-abc\n`).join('');
    const messages = Array.from({ length: 400 }, (_, index) => `${'value-of-'.repeat(200)}${index}-abc `);
    const redaction = new Redaction([values]);
    redaction.text('');
    const took = processorMs(() => {
      const told = redaction.of(quarantine(messages)) as Quarantine;
      assert.equal(told.rejected.errors.length, 400);
      assert.match(told.rejected.errors[19]?.message ?? '', /-\*\*\* $/);
    });
    assert.ok(took < scaled(1_000), `${took} ms`);
  });
});

test('of secrets that contain each other the longest is hidden, and a long message is cut', () => {
  const secrets = new SecretTexts(['abcd', 'abcdef', 'abcdefgh', 'abcdez', 'abc', 'zzzz'.repeat(1000)]);
  assert.equal(secrets.hideIn('abcdefg'), '***g');
  assert.equal(secrets.hideIn('abcdefghi abcde abc'), '***i ***e abc');
  assert.equal(secrets.hideIn(`x${'y'.repeat(5000)}`).length, 2049);
  assert.equal(secrets.hideIn(`${'x'.repeat(2000)}${'zzzz'.repeat(1000)}`), `${'x'.repeat(2000)}***…`);
});

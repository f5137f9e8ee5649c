import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newLogger } from './log.ts';

test('a log for people is one line for each entry, whatever it holds; one for machines is JSON', () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  newLogger('info', 'text', write).warn({ application: 'shop/web', error: 'a\nb' }, 'It is\ntried again.');
  newLogger('info', 'json', write).info('Watching.');
  newLogger('warn', 'text', write).info('Not told.');
  const [text, json, more] = lines;
  assert.match(
    text ?? '',
    /^\d{4}-\d\d-\d\dT[\d:.]+Z WARN It is tried again\. application="shop\/web" error="a\\nb"\n$/,
  );
  assert.equal(JSON.parse(json ?? '').msg, 'Watching.');
  assert.equal(more, undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import { NO_OTHERS, Verdicts } from './verdicts.ts';

type Place = Parameters<Verdicts['note']>[0];

function place(environment: string, changes: Partial<Place> = {}): Place {
  return {
    name: `shop/web/${environment}`,
    application: 'shop/web',
    environment,
    overlay: { path: '.', ref: { branch: 'main' }, defaults: undefined, layers: [] },
    refusal: undefined,
    settings: { suspended: undefined } as Place['settings'],
    ...changes,
  };
}

const [staging, prod] = [place('staging'), place('prod')];
const refusal = new TowpathError('Person', 'ManifestInvalid', 'No.');
const quarantine = new Quarantine({ revision: 'a'.repeat(40) }, refusal);

test('who has not said what it thinks of the same is awaited, and whoever waits is woken by each that says', () => {
  const woken: string[] = [];
  const verdicts = new Verdicts((target) => woken.push(target));
  const all = [staging, prod];
  assert.deepEqual(verdicts.others(staging, 'one', all), { awaited: ['prod'], refused: [] });
  verdicts.note(staging, 'one', 'Fine');
  assert.deepEqual(woken, [], 'it does not wake itself');
  verdicts.note(prod, 'another', 'Fine');
  assert.deepEqual(verdicts.others(staging, 'one', all).awaited, ['prod'], 'that was about something else');
  woken.length = 0;
  verdicts.note(prod, 'one', 'Fine');
  assert.deepEqual(woken, [staging.name]);
  assert.equal(verdicts.others(staging, 'one', all), NO_OTHERS);
  verdicts.note(prod, 'one', 'Fine');
  assert.deepEqual(woken, [staging.name], 'the same is no news');
});

test('what one refuses is told to all who ask for the same, until it says otherwise', () => {
  const woken: string[] = [];
  const verdicts = new Verdicts((target) => woken.push(target));
  verdicts.note(prod, 'one', { refusedBy: quarantine });
  const { refused } = verdicts.others(staging, 'one', [staging, prod]);
  assert.deepEqual(refused, [{ environment: 'prod', quarantine }]);
  verdicts.note(prod, 'one', 'Undecided');
  assert.deepEqual(woken, [staging.name]);
  assert.equal(verdicts.others(staging, 'one', [staging, prod]), NO_OTHERS);
});

test('nobody waits for one that is refused, suspended, follows another ref, or could not find out what is asked', () => {
  const verdicts = new Verdicts(() => undefined);
  const others = [
    place('refused', { refusal }),
    place('suspended', { settings: { suspended: 'It is.' } as Place['settings'] }),
    place('elsewhere', { overlay: { ...staging.overlay, ref: { branch: 'next' } } }),
  ];
  assert.equal(verdicts.others(staging, 'one', [staging, ...others]), NO_OTHERS);
  verdicts.note(prod, undefined, 'Undecided');
  assert.equal(verdicts.others(staging, 'one', [staging, prod]), NO_OTHERS);
});

test('A3: one that was waited for in vain is waited for again only when it has said something', () => {
  const verdicts = new Verdicts(() => undefined);
  const all = [staging, prod];
  verdicts.passOver('shop/web', verdicts.others(staging, 'one', all).awaited);
  assert.equal(verdicts.others(staging, 'two', all), NO_OTHERS);
  verdicts.note(prod, 'one', 'Undecided');
  assert.deepEqual(verdicts.others(staging, 'two', all).awaited, ['prod']);
});

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
    overlay: { ref: { branch: 'main' } },
    refusal: undefined,
    settings: { suspended: undefined } as Place['settings'],
    ...changes,
  };
}

const SUSPENDED = { suspended: 'It is.' } as Place['settings'];
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
  for (const asked of ['one', undefined]) verdicts.note(prod, asked, 'Unseen');
  assert.deepEqual(woken, [], 'out of sight it says nothing else');
  for (const lost of [{ refusal }, { overlay: undefined }, { settings: SUSPENDED }]) {
    const { overlay, ...elsewhere } = place('prod', lost as Partial<Place>);
    const there = overlay === undefined ? elsewhere : { ...elsewhere, overlay };
    assert.equal(verdicts.others(staging, 'one', [staging, there]).refused.length, 1);
    assert.equal(verdicts.others(staging, 'two', [staging, { ...there, refusal }]), NO_OTHERS);
  }
  verdicts.note(prod, 'one', 'Undecided');
  assert.deepEqual(woken, [staging.name]);
  assert.equal(verdicts.others(staging, 'one', [staging, prod]), NO_OTHERS);
});

test('nobody waits for one that is refused, suspended, follows another ref, or could not find out what is asked', () => {
  const verdicts = new Verdicts(() => undefined);
  const others = [
    place('refused', { refusal }),
    place('suspended', { settings: SUSPENDED }),
    place('elsewhere', { overlay: { ref: { branch: 'next' } } }),
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

test('what the status told before this process began counts until that environment says something', () => {
  const verdicts = new Verdicts(() => undefined);
  const before = new Map([['prod', quarantine]]);
  const all = [staging, prod];
  assert.equal(verdicts.others(staging, 'one', all, before).refused.length, 1);
  verdicts.note(prod, 'one', 'Fine');
  assert.equal(verdicts.others(staging, 'one', all, before), NO_OTHERS);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { licencesIn, objectionTo } from './licences.ts';

const mit = `The software of somebody

Permission is hereby granted, free of charge, to any person
obtaining a copy of this software`;
const bsd = `Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:`;

const TEXTS: Record<string, { text: string; grants: string[] }> = {
  'of Apache': {
    text: '\n        Apache License\n   Version 2.0, January 2004\n',
    grants: ['Apache-2.0'],
  },
  'of MIT, its lines broken elsewhere': { text: mit, grants: ['MIT'] },
  'of BSD': { text: bsd, grants: ['BSD'] },
  'of ISC': {
    text: 'Permission to use, copy, modify, and/or distribute this software for any\npurpose with or without fee is hereby granted',
    grants: ['ISC'],
  },
  'of two': {
    text: `${mit}\n\nLicensed under the Apache License, Version 2.0`,
    grants: ['Apache-2.0', 'MIT'],
  },
  'of BSD that asks for advertising': {
    text: `${bsd}\n3. All advertising materials mentioning features or use of this software`,
    grants: [],
  },
  'of MPL': { text: 'Mozilla Public License Version 2.0', grants: [] },
  'of MIT and of the GPL': { text: `${mit}\nGNU General\nPublic License`, grants: [] },
  'of nobody': { text: 'All rights reserved.', grants: [] },
};

for (const [what, { text, grants }] of Object.entries(TEXTS))
  test(`a licence ${what} grants ${grants.join(' and ') || 'nothing that is known'}`, () => {
    assert.deepEqual(licencesIn(text), grants);
  });

/** A module with these files; those of Go are compiled. */
function moduleWith(t: TestContext, texts: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-licences-'));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text);
  const files = Object.keys(texts).filter((name) => name.endsWith('.go'));
  return { path: 'example.com/a', directory, files: files.map((name) => join(directory, name)) };
}

const source = 'package a\n';
const lesser = 'GNU Lesser General Public License';
const told = (name: string) => `example.com/a: ${name} is none of Apache-2.0, MIT, BSD, ISC.`;
const marked = (licence: string) => `// SPDX-License-Identifier: ${licence}\n\n${source}`;

const MODULES: Record<string, { texts: Record<string, string>; objection?: string }> = {
  'with a licence': { texts: { 'LICENSE.md': mit, 'a.go': source } },
  'without one': { texts: { 'README.md': mit, 'a.go': source }, objection: 'example.com/a has no LICENSE.' },
  'with an unknown one beside it': {
    texts: { LICENSE: mit, 'COPYING.LESSER': lesser, 'a.go': source },
    objection: told('COPYING.LESSER'),
  },
  'of which all that is compiled says what it is under': {
    texts: { 'LICENSE.BSD': bsd, 'LICENSE.LESSER': lesser, 'a.go': marked('BSD-3-Clause') },
  },
  'of which some of what is compiled says another': {
    texts: { COPYING: lesser, 'a.go': marked('BSD-3-Clause'), 'b.go': marked('MPL-2.0') },
    objection: told('COPYING'),
  },
  'of which some of what is compiled says nothing': {
    texts: { COPYING: lesser, 'a.go': marked('MIT'), 'b.go': source },
    objection: told('COPYING'),
  },
};

for (const [what, { texts, objection }] of Object.entries(MODULES))
  test(`I4: a module ${what} is ${objection === undefined ? 'taken' : 'objected to'}`, (t) => {
    assert.equal(objectionTo(moduleWith(t, texts)), objection);
  });

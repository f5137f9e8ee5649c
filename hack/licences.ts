import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Go module of others whose code is part of a program. */
export interface LinkedModule {
  path: string;
  /** Where its sources are in the module cache. */
  directory: string;
  /** Paths of those that are compiled. */
  files: readonly string[];
}

/** What each licence says in these words alone, in small letters and with single spaces. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'Apache-2.0',
    ['apache license version 2.0, january 2004', 'licensed under the apache license, version 2.0'],
  ],
  ['MIT', ['permission is hereby granted, free of charge, to any person obtaining a copy']],
  [
    'BSD',
    [
      'redistribution and use in source and binary forms, with or without modification, are permitted provided that the following conditions are met',
    ],
  ],
  [
    'ISC',
    [
      'permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted',
      'permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted',
    ],
  ],
]);

/** Where one of these stands, too, somebody is to read it. */
const CONDITIONS = [
  'gnu general public',
  'gnu lesser general public',
  'gnu affero',
  'mozilla public license',
  'eclipse public license',
  'common development and distribution license',
  'server side public license',
  'business source license',
  'commons clause',
  'all advertising materials mentioning',
];

/** In the first lines of a file, whatever holds for others of its module. */
const OF_FILE = /^\/\/ SPDX-License-Identifier: (Apache-2\.0|MIT|BSD-[23]-Clause|ISC)$/m;

const LICENCE_FILE = /^(licen[cs]e|copying)/i;

/** The permissive licences that a text grants; none where it is unknown, or asks for more than they do. */
export function licencesIn(text: string): string[] {
  const words = text.toLowerCase().split(/\s/).filter(Boolean).join(' ');
  if (CONDITIONS.some((condition) => words.includes(condition))) return [];
  return [...WORDS].filter(([, said]) => said.some((each) => words.includes(each))).map(([name]) => name);
}

/** Why a module may not be given away within a work under Apache-2.0, as far as can be told; undefined: it may. */
export function objectionTo({ path, directory, files }: LinkedModule): string | undefined {
  const licences = readdirSync(directory).filter((name) => LICENCE_FILE.test(name));
  if (licences.length === 0) return `${path} has no LICENSE.`;
  const unknown = licences.find((name) => licencesIn(textOf(join(directory, name))).length === 0);
  if (unknown === undefined || files.every((file) => OF_FILE.test(textOf(file).slice(0, 1_000))))
    return undefined;
  return `${path}: ${unknown} is none of ${[...WORDS.keys()].join(', ')}.`;
}

/** The modules whose packages are linked into the program in this directory, the program's own left out. */
export function linkedModules(programDirectory: string): LinkedModule[] {
  const format =
    '{{$d := .Dir}}{{with .Module}}{{if not .Main}}{{$m := .}}{{range $.GoFiles}}{{$m.Path}}\t{{$m.Dir}}\t{{$d}}/{{.}}\n{{end}}{{end}}{{end}}';
  const listed = execFileSync('go', ['list', '-deps', '-f', format, '.'], {
    cwd: programDirectory,
    encoding: 'utf8',
    env: { ...process.env, CGO_ENABLED: '0' },
    maxBuffer: 16 * 1024 * 1024,
  });
  const lines = listed.split('\n').filter(Boolean);
  const byPath = Map.groupBy(lines, (line) => line.split('\t', 1)[0] ?? '');
  return [...byPath].map(([path, of]) => ({
    path,
    directory: of[0]?.split('\t')[1] ?? '',
    files: of.map((line) => line.split('\t')[2] ?? ''),
  }));
}

function textOf(path: string): string {
  return readFileSync(path, 'utf8');
}

import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FakePrograms, type Ended } from './fake-programs.js';

const REAL = [
  'bash',
  'basename',
  'cat',
  'dirname',
  'find',
  'grep',
  'mkdir',
  'mktemp',
  'paste',
  'realpath',
  'rm',
  'sed',
  'sleep',
  'wc',
];
const checkout = (): string => join(host.folder, 'checkout');
let host: FakePrograms;

/**
 * A checkout whose stages succeed, but those with a file `fail-NAME`; a stage of tests with a file `mute-NAME` does not
 * even begin. Each leaves a line of what it was asked.
 */
beforeEach(() => {
  host = new FakePrograms(REAL);
  const lines = (...all: readonly string[]): string => all.join('\n');
  const outcome = (name: string): string => `echo "${name}" >> "$FOLDER/ran"; [ ! -e "$FOLDER/fail-${name}" ]`;
  host
    .add('id', 'cat "$FOLDER/uid"')
    .add('shellcheck', outcome('shellcheck'))
    .add(
      'npm',
      lines(
        'for word; do case $word in --outputFile=*) result=${word#--outputFile=} ;; esac; done',
        'name=$3; [ -z "${result:-}" ] || { name=$(basename "$result" .json); [ -e "$FOLDER/mute-$name" ] || echo ' +
          '{} > "$result"; }',
        outcome('$name'),
      ),
    )
    .add(
      'node',
      lines(
        'case "$1 ${2:-}" in',
        '  "scripts/nodes.js others") echo "22 24" ;;',
        '  "scripts/nodes.js path") echo "$FOLDER/node-$3/bin/node" ;;',
        '  build/lab/host/close.js*) echo "failed $3, skipped $4"; find "$2" -name "*.json" -exec basename {} ' +
          '.json ";"; cat "$2/stages" ;;',
        'esac',
      ),
    );
  mkdirSync(join(checkout(), 'scripts'), { recursive: true });
  for (const folder of ['lab/scenarios', 'lab/image']) mkdirSync(join(checkout(), folder), { recursive: true });
  copyFileSync('lab/image/releases.txt', join(checkout(), 'lab/image/releases.txt'));
  for (const name of ['one.ts', 'two.ts']) writeFileSync(join(checkout(), 'lab/scenarios', name), '');
  copyFileSync('scripts/test.sh', join(checkout(), 'scripts/test.sh'));
  script('able-node.sh', '');
  script('setup.sh', outcome('setup'));
  script(
    'lab.sh',
    lines(
      'echo "$*" >> "$FOLDER/lab-words"',
      'name=lab; [ "$1" != --build ] || name=build',
      'while [ $# -gt 0 ]; do [ "$1" != --tally ] || [ -e "$FOLDER/mute-lab" ] || echo {} > "$2"; shift; done',
      outcome('$name'),
    ),
  );
  script(
    'as-ordinary-user.sh',
    lines(
      'echo "$LIBVIRT_VOLUME_LAB_NODE ${*:2}" >> "$FOLDER/user-words"',
      '[ -e "$FOLDER/mute-lab-user" ] || echo {} > "$1"',
      outcome('user'),
    ),
  );
  writeFileSync(join(host.folder, 'uid'), '0');
});
afterEach(() => {
  host[Symbol.dispose]();
});

function script(name: string, text: string): void {
  writeFileSync(join(checkout(), 'scripts', name), `#!/bin/bash\nFOLDER='${host.folder}'\n${text}\n`);
  chmodSync(join(checkout(), 'scripts', name), 0o755);
}

const having = (...files: readonly string[]): void => {
  for (const file of files) writeFileSync(join(host.folder, file), '');
};
const run = (env: Readonly<Record<string, string>> = {}): Ended =>
  host.run('/bin/bash', [join(checkout(), 'scripts/test.sh')], env);
const wordsOf = (what: 'lab' | 'user'): readonly string[] =>
  readFileSync(join(host.folder, `${what}-words`), 'utf8')
    .trim()
    .split('\n');
const countsOf = ({ stdout }: Ended): string => stdout.split('\n')[0] ?? '';
const resultsOf = ({ stdout }: Ended): readonly string[] =>
  stdout
    .split('\n')
    .filter((line) => /^(?:jest|lab)/.test(line))
    .toSorted();
const failedStages = ({ stdout }: Ended): readonly string[] =>
  Array.from(stdout.matchAll(/^\d+ FAILED (.*)$/gm), ([, stage]) => stage ?? '').toSorted();

test('test.sh runs the unit tests on each Node, and as root the lab as an ordinary user too', () => {
  const ended = run({ CI: 'true' });
  expect(countsOf(ended)).toBe('failed 0, skipped 0');
  expect(resultsOf(ended)).toEqual(['jest', 'jest-22', 'jest-24', 'lab', 'lab-user']);
  expect(failedStages(ended)).toEqual([]);
  expect(wordsOf('lab')).toEqual(['--build --releases 12', expect.stringMatching(/^--releases 13,12 --tally /)]);
  expect(wordsOf('user')).toEqual(['24 lab-itself process-counts']);
});

test('test.sh creates no user where it is run by one', () => {
  writeFileSync(join(host.folder, 'uid'), '1000');
  expect(resultsOf(run())).toEqual(['jest', 'jest-22', 'jest-24', 'lab']);
  expect(wordsOf('lab')).toEqual(['--build --releases 13,12', expect.stringMatching(/^--releases 13,12 --tally /)]);
});

test.each([
  ['types', 'types', 1],
  ['lint', 'lint', 1],
  ['shellcheck', 'shellcheck', 1],
  // What these count themselves stands in their results; close.ts looks after one that failed without a failed test.
  ['jest', 'unit', 0],
  ['jest-24', 'unit on Node 24', 0],
  ['lab', 'lab', 0],
  ['user', 'user', 0],
] as const)('test.sh goes on after %s fails, and counts each stage once', (file, stage, counted) => {
  having(`fail-${file}`);
  const ended = run();
  expect(failedStages(ended)).toEqual([stage]);
  expect(countsOf(ended)).toBe(`failed ${counted}, skipped 0`);
  expect(resultsOf(ended)).toHaveLength(5);
});

test.each(['jest', 'jest-22', 'lab', 'lab-user'])('test.sh counts %s as a failure where it did not begin', (name) => {
  having(`mute-${name}`);
  expect(countsOf(run())).toBe('failed 1, skipped 0');
});

test('test.sh prints the output of a stage that runs beside others', () => {
  script('as-ordinary-user.sh', 'echo "no such user" >&2; exit 1');
  expect(run().stderr).toMatch(/^== user\nno such user\n== user: FAILED after \d+ s$/m);
});

test('test.sh that is stopped ends its parallel stages, which clean up first', async () => {
  script(
    'as-ordinary-user.sh',
    `trap 'sleep 0.2; echo > "$FOLDER/cleaned-up"; exit 130' TERM; echo > "$FOLDER/runs"; sleep 60 & wait`,
  );
  const child = spawn('/bin/bash', [join(checkout(), 'scripts/test.sh')], {
    env: { PATH: host.bin, HOME: host.folder },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  while (!existsSync(join(host.folder, 'runs'))) await sleep(20);
  child.kill('SIGTERM');
  expect(await ended).toBe(130);
  expect(existsSync(join(host.folder, 'cleaned-up'))).toBe(true);
}, 30_000);

test('test.sh skips the lab under LIBVIRT_VOLUME_LAB=skip, with a message, and not on CI', () => {
  const skipped = run({ LIBVIRT_VOLUME_LAB: 'skip' });
  expect([countsOf(skipped), resultsOf(skipped)]).toEqual(['failed 0, skipped 2', ['jest', 'jest-22', 'jest-24']]);
  expect(skipped.stderr).toContain('== lab: SKIPPED, 2 scenarios');
  expect(countsOf(run({ LIBVIRT_VOLUME_LAB: 'skip', CI: 'true' }))).toBe('failed 1, skipped 0');
});

test('test.sh ends with one failure where the machine cannot be set up', () => {
  having('fail-setup');
  expect(run()).toMatchObject({ status: 1, stdout: '0 passed, 1 failed, 0 skipped\n' });
});

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { putAside, removeIfEmpty } from '../../src/doctor/remedies.js';
import { GIVE_INITIATOR_NAME, INITIATOR_NAME_FILE } from '../../src/initiator/initiator-name-in.js';
import { temporaryFolder } from '../host/compiled-host.js';

/** Programs that a finding or an error tells somebody to run. */
const PROGRAMS = [
  'apt-get',
  'chmod',
  'cp',
  'dd',
  'dmsetup',
  'dnf',
  'echo',
  'find',
  'fuser',
  'getent',
  'ip',
  'iscsiadm',
  'kill',
  'mkdir',
  'modprobe',
  'mount',
  'multipath',
  'multipathd',
  'mv',
  'printf',
  'rm',
  'sed',
  'sysctl',
  'systemctl',
  'tee',
  'truncate',
  'virsh',
  'zypper',
];
/** `multipathd runs` and the like are sentences. */
const SENTENCE =
  '(?:did|does|ended|finds|guest|has|hung|is|keeps|lists|made|makes|printed|runs?|says|shows|the|waits)\\b';
const COMMAND = new RegExp(`(?:^|&& |\\|\\| |: )(?:${PROGRAMS.join('|')}) (?!${SENTENCE})(?:[-\\w$/"']|$)`);

/** Text as the code makes it, of one literal or of several that are added up. */
interface MadeText {
  /** Its expressions as they stand in the code: `${…}`. */
  readonly text: string;
  readonly expressions: readonly { readonly node: ts.Expression; readonly before: string }[];
}

const isSum = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken;

/** @returns undefined for what makes no text */
function madeText(node: ts.Node): MadeText | undefined {
  if (ts.isStringLiteralLike(node)) return { text: node.text, expressions: [] };
  if (ts.isTemplateExpression(node)) {
    return node.templateSpans.reduce<MadeText>(
      (made, { expression, literal }) => withExpression(made, expression, literal.text),
      { text: node.head.text, expressions: [] },
    );
  }
  if (!isSum(node)) return undefined;
  const [left, right] = [madeText(node.left), madeText(node.right)];
  if (left === undefined) return undefined;
  if (right === undefined) return withExpression(left, node.right, '');
  const expressions = right.expressions.map((one) => ({ ...one, before: left.text + one.before }));
  return { text: left.text + right.text, expressions: [...left.expressions, ...expressions] };
}

function withExpression({ text, expressions }: MadeText, node: ts.Expression, literal: string): MadeText {
  return {
    text: `${text}\${${node.getText()}}${literal}`,
    expressions: [...expressions, { node, before: text }],
  };
}

/** Text that is a command, or ends with one, in whatever file of the library: its remedies are among it. */
function commandsIn(file: string): readonly MadeText[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: MadeText[] = [];
  const visit = (node: ts.Node): void => {
    const made = madeText(node);
    if (made === undefined) ts.forEachChild(node, visit);
    else if (COMMAND.test(made.text)) found.push(made);
    else for (const { node: expression } of made.expressions) visit(expression);
  };
  visit(source);
  return found;
}

/** Scripts of this library's own: nobody pastes them. */
const OWN = /src\/host\/node\/(?:root-helper-file-system|flock-holder)\.ts$/;
const ALL = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`)
  .filter((file) => !OWN.test(file))
  .flatMap((file) => commandsIn(file).map((made) => ({ file, ...made })));

describe('a command that somebody is told to run', () => {
  test('remedies in the sources are found by this test', () => {
    expect(ALL.length).toBeGreaterThan(40);
    for (const one of [
      'GenerateName',
      'rm ${shellWords(lock.path)}',
      '-o delete',
      'mv -nvT',
      'virsh blockjob',
      'sysctl -w',
    ])
      expect(
        ALL.filter(({ file, text }) => `${file} ${text}`.includes(one) || readFileSync(file, 'utf8').includes(one)),
      ).not.toEqual([]);
  });

  test.each(ALL.map(({ file, text }) => [`${file}: ${text}`, text] as const))('remedy is safe: %s', (_where, text) => {
    expect(text.replaceAll('>>', '').replaceAll('=>', '')).not.toMatch(/>/); // writes over no file
    expect(text.replaceAll('cp -an ', '')).not.toMatch(/\b(?:dd|tee|truncate|sed -i|cp) /);
    expect(text).not.toMatch(/\brm -[a-z]*r/);
    expect(text.replaceAll(/mv -nvT -- /g, '')).not.toMatch(/\bmv /); // over no file
    // a lock that nobody holds, a record of our own
    if (/\brm /.test(text))
      expect(text).toMatch(
        /rm \$\{shellWords\((?:lock\.path|this\.#path)\)\}|rm -f \$\{shellWords\(fileIn\(folders\)\)\}/,
      );
    if (text.includes('-delete')) expect(text).toContain('-type f -empty -delete');
    if (text.includes('-o delete')) expect(text).toMatch(/>> .* && iscsiadm .* -o delete/);
  });

  /** A name of this host: a shell must read it as one word. Numbers and constants of this library are. */
  const HARMLESS = /^(?:shellWords\(|[A-Z_]+$|suspect\.pid$|pids\.join|unit$|module$|deleteIfaceCommand\()/;
  const templates = ALL.filter(({ expressions }) => expressions.length > 0).map(
    ({ file, text, expressions }) => [`${file}: ${text}`, expressions] as const,
  );
  test.each(templates)('remedy quotes what comes from the host: %s', (_where, expressions) => {
    const words = expressions.filter(({ before }) => COMMAND.test(before)).map(({ node }) => node.getText());
    expect(words.filter((expression) => !HARMLESS.test(expression))).toEqual([]);
  });
});

describe('a remedy, when it is pasted', () => {
  /** With programs of our own in the place of those that this machine has not. */
  const sh = (command: string, programs = '/nowhere'): void => {
    execFileSync('sh', ['-c', command], { env: { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` } });
  };
  const within = (command: string, folder: string): string => command.replaceAll('/root/', `${folder}/root/`);

  test('removeIfEmpty() leaves a file in which something is by then', () => {
    using folder = temporaryFolder();
    const file = `${folder.path}/it's a record`;
    writeFileSync(file, '');
    sh(removeIfEmpty(file));
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, 'node.name = x\n');
    sh(removeIfEmpty(file));
    expect(readFileSync(file, 'utf8')).toBe('node.name = x\n');
  });

  test('putAside() keeps the file, and whatever was put aside before', () => {
    using folder = temporaryFolder();
    const file = `${folder.path}/a; rm -rf $HOME`;
    const aside = `${folder.path}/root/${file.slice(1).replaceAll('/', '_')}`;
    mkdirSync(`${folder.path}/root`);
    writeFileSync(file, 'one');
    sh(within(putAside(file), folder.path));
    expect([existsSync(file), readFileSync(aside, 'utf8')]).toEqual([false, 'one']);
    writeFileSync(file, 'two');
    try {
      sh(within(putAside(file), folder.path));
    } catch {
      /* mv of coreutils 9.5 says so */
    }
    expect([readFileSync(file, 'utf8'), readFileSync(aside, 'utf8')]).toEqual(['two', 'one']);
  });

  test.each([
    [undefined, 'InitiatorName=iqn.2026-11.org.example:new\n'],
    ['', 'InitiatorName=iqn.2026-11.org.example:new\n'],
    ['InitiatorName = iqn.a:b\n', 'InitiatorName = iqn.a:b\n'],
    ['# mine', '# mine'],
  ])('GIVE_INITIATOR_NAME makes of %j %j', (before, after) => {
    using folder = temporaryFolder();
    const file = `${folder.path}/initiatorname.iscsi`;
    if (before !== undefined) writeFileSync(file, before);
    writeFileSync(`${folder.path}/iscsi-iname`, '#!/bin/sh\necho iqn.2026-11.org.example:new\n', { mode: 0o755 });
    writeFileSync(`${folder.path}/systemctl`, '#!/bin/sh\n', { mode: 0o755 });
    sh(GIVE_INITIATOR_NAME.replaceAll(INITIATOR_NAME_FILE, file), folder.path);
    expect(readFileSync(file, 'utf8')).toBe(after);
  });
});

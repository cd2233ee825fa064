import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { knownKeys } from '../../src/database/record-keys.js';
import { readRecordLines } from '../../src/database/record-lines.js';
import { formatRecord, isOurs, isUnset, parseRecord, readRecord, valueOf } from '../../src/database/record-text.js';

/** A key that open-iscsi does not have: its value is as it is written. */
const KEY = fc.stringMatching(/^[a-z][\w.[\]-]{0,30}$/).map((key) => `x.${key}`);
/** One line, without blanks at its ends. */
const VALUE = fc
  .string({ unit: 'grapheme' })
  .map((text) => text.replaceAll(/[\n\r\0]/g, '').replaceAll(/^[\t-\r ]+|[\t-\r ]+$/g, ''))
  .filter((text) => text !== '');
const TEXT_KEY = fc.constantFrom('node.session.auth.username', 'iface.state', 'node.name');
const SHORT = fc.stringMatching(/^[!-~]{1,15}$/).filter((text) => text !== '<empty>');

const oddnessOf = (text: string): readonly string[] =>
  readRecord(text).oddLines.map(({ number, key, effect, reason }) => `${number} ${key ?? '-'} ${effect}: ${reason}`);

describe('readRecord()', () => {
  test('readRecord() reads what formatRecord() writes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(KEY, VALUE)), fc.array(fc.constantFrom('our own', 'a = b')), (pairs, comments) => {
        const values = new Map(pairs);
        expect([...parseRecord(formatRecord(values, ...comments))]).toEqual([...values]);
      }),
    );
  });

  test('readRecord() reads the same with blank lines, CRLF, comments and blanks around keys and values', () => {
    const blank = fc.stringMatching(/^[ \t]{1,3}$/);
    const noise = fc.array(
      fc.oneof(
        blank,
        blank.map((text) => `${text}# END RECORD`),
      ),
      { maxLength: 2 },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(KEY, VALUE, blank, noise)), fc.constantFrom('\n', '\r\n'), (lines, end) => {
        const text = lines
          .map(([key, value, gap, between]) =>
            [...between, `${gap}${key}${gap}=${gap}${value}${gap}`].map((line) => `${line}${end}`).join(''),
          )
          .join('');
        expect(parseRecord(text)).toEqual(new Map(lines.map(([key, value]) => [key, value])));
      }),
    );
  });

  test('readRecord() passes over a line with a value and no key', () => {
    expect(readRecord(' =  = \u000e\n')).toEqual({
      values: new Map(),
      oddLines: [{ number: 1, key: undefined, effect: 'ignored', reason: 'nothing stands before its "="' }],
    });
  });

  test('readRecord() never throws, and loses no byte of the text, whatever it is', () => {
    const text = fc
      .array(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.constantFrom('\n', '\0', ' = ', '\r\n', '#', 'x'.repeat(2047), ...knownKeys().slice(0, 9)),
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (any) => {
        const { values } = readRecord(any);
        expect(
          readRecordLines(any)
            .map(({ raw }) => raw)
            .join(''),
        ).toBe(Buffer.from(any, 'utf8').toString('utf8'));
        expect(parseRecord(formatRecord(values))).toEqual(values); // what was taken is taken again
      }),
      { numRuns: 500 },
    );
  });

  test('readRecord() takes the same values with junk lines in between, and reports each with its line', () => {
    const junk = fc.constantFrom(
      'what is this',
      '[section]',
      '; key = value',
      '=',
      'node.startup',
      'node.startup=automatic',
      'node.session.scan = never',
      'node.tpgt:',
      '\0',
      '"',
      '<xml/>',
      '=== x',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(TEXT_KEY, SHORT, fc.array(junk, { maxLength: 2 }))), (parts) => {
        const values = new Map<string, string>(parts.map(([key, value]) => [key, value]));
        const lines = parts.flatMap(([key, value, between]) => [
          ...between.map((text) => [text, true] as const),
          [`${key} = ${value}`, false] as const,
        ]);
        const { values: taken, oddLines } = readRecord(lines.map(([text]) => `${text}\n`).join(''));
        expect(new Map([...taken].filter(([key]) => values.has(key)))).toEqual(values);
        expect(oddLines.map(({ number }) => number)).toEqual(
          lines.flatMap(([, odd], index) => (odd ? [index + 1] : [])),
        );
      }),
    );
  });

  test('readRecord() reports of each odd line where it is and what is wrong with it', () => {
    expect(
      oddnessOf(
        [
          'node.startup=manual',
          'node.name iqn.x',
          'hello',
          '[node]',
          '; a comment',
          'node.tpgt =',
          'node.session.queue_depth = 0x10',
          'node.session.scan = never',
          'node.session.nr_sesions = 1',
          'iscsid.startup = /bin/true',
          `iface.transport_name = ${'t'.repeat(16)}`,
          'node.session.auth.chap_algs = md5 SHA1',
          `${'k'.repeat(128)} = 1`,
          'iface.hwaddress = <empty>',
          'node.session.cmds_max = 64',
        ].join('\n'),
      ),
    ).toEqual([
      '1 node.startup ignored: it has no blank before its "="',
      '2 node.name ignored: it has no "=" behind its first word',
      '3 - ignored: it has no "="',
      '4 - ignored: it has no "="',
      '5 - ignored: it has no "=" behind its first word',
      '6 node.tpgt ignored: it has no value',
      '7 node.session.queue_depth misread: "0x10" is read as 0',
      '8 node.session.scan refused: "never" is none of manual, auto',
      '9 node.session.nr_sesions unknown: open-iscsi has no such key',
      '11 iface.transport_name misread: its value is cut to 15 bytes',
      '12 node.session.auth.chap_algs misread: "md5" is none of MD5, SHA1, SHA256, SHA3-256',
      '13 - ignored: its first word is longer than 127 bytes',
      '14 iface.hwaddress misread: <empty> is how iscsiadm shows that there is no value; in a file it is one',
      '15 - ignored: it is the last line and has no line break at its end',
    ]);
  });

  test('readRecord() shows no password, whatever is wrong with its line', () => {
    const secret = fc.stringMatching(/^[A-Z0-9]{12,16}$/);
    const key = fc.constantFrom(
      'node.session.auth.password',
      'node.session.auth.password_in',
      'discovery.sendtargets.auth.password',
      'x',
      '#node.session.auth.password = ',
    );
    const between = fc.constantFrom('', ' ', ': ', '\t', '=', ' =', '= ', ' = ', ' == ', '\0', ' = \0', '"');
    fc.assert(
      fc.property(
        fc.constantFrom('', '1', '= ', 'a b ', '"', 'x'.repeat(2040)),
        key,
        between,
        secret,
        fc.constantFrom('', '\n', ' x\n', '"\n', `${'y'.repeat(300)}\n`),
        (before, name, gap, hidden, end) => {
          expect(JSON.stringify(oddnessOf(`${before}${name}${gap}${hidden}${end}`))).not.toContain(hidden);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('readRecord() uses the last of two equal keys that open-iscsi accepts', () => {
    expect(parseRecord('iface.mtu = 1500\niface.mtu = 9000\n').get('iface.mtu')).toBe('9000');
    expect(
      parseRecord('node.session.scan = manual\nnode.session.scan = never\nnode.session.scan=auto\n').get(
        'node.session.scan',
      ),
    ).toBe('manual');
  });
});

describe('formatRecord()', () => {
  test('formatRecord() writes as open-iscsi does, with our comment', () => {
    expect(
      formatRecord(
        new Map([
          ['node.name', 'iqn.a'],
          ['node.tpgt', '1'],
        ]),
        'made by us',
      ),
    ).toBe('# BEGIN RECORD\n# made by us\nnode.name = iqn.a\nnode.tpgt = 1\n# END RECORD\n');
  });
  test.each(['a\nnode.startup = automatic', 'a\r', '\n', 'a\0'])(
    'formatRecord() refuses a value of more than one line: %j',
    (value) => {
      expect(() => formatRecord(new Map([['node.name', value]]))).toThrow(
        new SyntaxError('Cannot write the record key node.name: its value has more than one line'),
      );
    },
  );
  test('formatRecord() refuses a password of more than one line without showing it', () => {
    expect(() => formatRecord(new Map([['node.session.auth.password', 'hush\nhush']]))).toThrow(/^(?!.*hush)/s);
  });
});

test('isOurs() goes by a whole line, not by a part of one', () => {
  const comment = 'Made by libvirt-volume-drivers';
  expect(
    [
      `# ${comment}\nx = 1\n`,
      `x = 1\n# ${comment}\n`,
      `x = # ${comment}\n`,
      `# not # ${comment}\n`,
      `# ${comment} and others\n`,
    ].map(isOurs),
  ).toEqual([true, true, false, false, false]);
});

test.each(['', '<empty>', '(null)', '<NULL>', 'default'])('isUnset(%j) is true', (word) => {
  expect(isUnset(word)).toBe(true);
});
test.each(['0', 'empty', 'Default', 'null'])('isUnset(%j) is false', (word) => {
  expect(isUnset(word)).toBe(false);
});
test('valueOf() is undefined where the record has no value, or a word that stands for none', () => {
  const record = parseRecord('iface.hwaddress = default\niface.ipaddress = 192.0.2.1\niface.gateway = <empty>\n');
  expect(
    ['iface.hwaddress', 'iface.net_ifacename', 'iface.gateway', 'iface.ipaddress'].map((key) => valueOf(record, key)),
  ).toEqual([undefined, undefined, undefined, '192.0.2.1']);
});

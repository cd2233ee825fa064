import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { editRecord } from '../../src/database/edit-record.js';
import { parseRecord } from '../../src/database/record-text.js';

const SETTING = fc
  .tuple(
    fc.constantFrom('node.session.queue_depth', 'node.session.scan', 'node.session.auth.username', 'node.startup'),
    fc.constantFrom('7', 'manual', 'me'),
  )
  .filter(
    ([key, value]) =>
      value ===
      {
        'node.session.queue_depth': '7',
        'node.session.scan': 'manual',
        'node.startup': 'manual',
        'node.session.auth.username': 'me',
      }[key],
  );
const LINE = fc.oneof(
  SETTING.map(([key, value]) => `${key} = ${value}`),
  fc.constantFrom(
    '# BEGIN RECORD 2.1.8',
    '# END RECORD',
    '# ours',
    'junk',
    'node.startup=automatic',
    'node.session.scan = never',
    '[x]',
    '\0',
    '',
    `#${'x'.repeat(2100)} = 1`,
    'node.future = 1',
    'caf\udce9 = 1',
  ),
);

test('editRecord() makes open-iscsi read just the wanted values, whatever else is in the file', () => {
  fc.assert(
    fc.property(fc.array(LINE), fc.boolean(), fc.array(SETTING), (lines, ended, wanted) => {
      const text = lines.join('\n') + (ended && lines.length > 0 ? '\n' : '');
      const values = new Map([...parseRecord(text)].filter(([key]) => !key.startsWith('node.s')));
      for (const [key, value] of wanted) values.set(key, value);
      expect(parseRecord(editRecord(text, values))).toEqual(values);
    }),
    { numRuns: 500 },
  );
});

test('editRecord() keeps every line that it does not have to change, to the byte', () => {
  const text =
    '# BEGIN RECORD 2.1.8\r\n# by hand \udce9\nnode.name = iqn.a\nnode.session.scan = auto\nwhat is this\n' +
    'node.future = 1\nnode.startup = manual\n# END RECORD\nnode.tpgt = 1';
  const wanted = new Map([...parseRecord(text), ['node.session.scan', 'manual'], ['node.session.nr_sessions', '1']]);
  expect(editRecord(text, wanted)).toBe(
    text
      .replace('node.session.scan = auto\n', '')
      .replace('# END RECORD', 'node.session.scan = manual\nnode.session.nr_sessions = 1\n# END RECORD'),
  );
  expect(editRecord(text, parseRecord(text))).toBe(text);
});

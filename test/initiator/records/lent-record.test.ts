import { describe, expect, test } from '@jest/globals';
import { parseRecord } from '../../../src/database/record-text.js';
import {
  formatLentRecord,
  givenBack,
  lentRecord,
  parseLentRecord,
  targetOfLent,
} from '../../../src/initiator/records/lent-record.js';

const PATH = '/etc/iscsi/nodes/iqn.2026-11.org.example:one/192.0.2.10,3260,1/default';
const BEFORE = [
  '# the storage team asked for this',
  'node.name = iqn.2026-11.org.example:one',
  'node.startup = automatic',
  'node.session.scan = auto',
  'node.session.auth.password = theirs',
  '',
].join('\n');
const GIVEN = BEFORE.replace('scan = auto', 'scan = manual').replace(
  'node.session.auth.password = theirs\n',
  'node.session.auth.password = a-tenants-secret\nnode.session.nr_sessions = 1\n',
);
const LENT = lentRecord(PATH, BEFORE, GIVEN, parseRecord(GIVEN));

describe('givenBack()', () => {
  test('of what was written is the record as it was, to the byte', () => {
    expect(givenBack(GIVEN, LENT)).toBe(BEFORE);
  });

  test('of a record that never got our settings is that record', () => {
    expect(givenBack(BEFORE, LENT)).toBe(BEFORE);
  });

  test('of a record that iscsiadm wrote anew has each value of ours replaced by theirs', () => {
    const anew = GIVEN.replace('# the storage team asked for this\n', '# BEGIN RECORD 2.1.8\n');
    expect([...parseRecord(givenBack(anew, LENT))].sort()).toEqual([...parseRecord(BEFORE)].sort());
  });

  test('keeps what somebody has written to the record since', () => {
    const edited = GIVEN.replace('a-tenants-secret', 'newer').replace('automatic', 'manual');
    expect(Object.fromEntries(parseRecord(givenBack(edited, LENT)))).toEqual({
      'node.name': 'iqn.2026-11.org.example:one',
      'node.startup': 'manual',
      'node.session.scan': 'auto',
      'node.session.auth.password': 'newer',
    });
  });

  test('takes out a secret that iscsiadm has written', () => {
    const onFile = GIVEN.replace('node.session.auth.password = a-tenants-secret\n', '');
    const lent = lentRecord(PATH, BEFORE, onFile, parseRecord(GIVEN));
    expect(parseRecord(givenBack(GIVEN, lent)).get('node.session.auth.password')).toBe('theirs');
  });
});

test('targetOfLent() is that of the folder, also where the text names none', () => {
  expect(targetOfLent({ ...LENT, before: '' })).toBe('iqn.2026-11.org.example:one');
});

test('parseLentRecord() reads what formatLentRecord() wrote, which holds no secret of ours', () => {
  const text = formatLentRecord(LENT);
  expect(parseLentRecord(text)).toEqual(LENT);
  expect(text).not.toContain('a-tenants-secret');
});

test.each([
  ['', 'Unexpected end'],
  ['[]', 'the file is not an object'],
  ['{"version":2}', 'version is not 1'],
  ['{"version":1,"changed":{"node.name":7}}', 'changed.node.name is not a text'],
  ['{"version":1,"changed":{}}', 'path is not a text'],
])('parseLentRecord(%j) throws a SyntaxError', (text, message) => {
  expect(() => parseLentRecord(text)).toThrow(message);
});

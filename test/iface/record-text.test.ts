import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { quoted } from '../../src/base/quoted.js';
import { formatRecord, isUnset, parseRecord, type RecordValues, valueOf } from '../../src/iface/record-text.js';

const KEY = fc.stringMatching(/^[A-Za-z][\w.[\]-]{0,30}$/);
/** One line, without blanks at its ends, and none of the words for "no value". */
const VALUE = fc.string({ unit: 'grapheme' }).map((text) => text.trim()).filter((text) => text !== '' && text !== '<empty>' && !/[\n\r\u2028\u2029]/.test(text));

describe('parseRecord()', () => {
  test('reads what formatRecord() writes', () => {
    fc.assert(fc.property(fc.array(fc.tuple(KEY, VALUE)), fc.array(fc.constantFrom('our own', 'a = b')), (pairs, comments) => {
      const values = new Map(pairs);
      expect([...parseRecord(formatRecord(values, ...comments))]).toEqual([...values]);
    }));
  });
  test('reads the same with blank lines, CRLF, comments and blanks around keys and values', () => {
    const blank = fc.stringMatching(/^[ \t]{0,3}$/);
    const noise = fc.array(fc.oneof(blank, blank.map((text) => `${text}# END RECORD`)), { maxLength: 2 });
    fc.assert(fc.property(fc.array(fc.tuple(KEY, VALUE, blank, noise)), fc.constantFrom('\n', '\r\n'), (lines, end) => {
      const text = lines.map(([key, value, gap, between]) => [...between, `${gap}${key}${gap}=${gap}${value}${gap}`].map((line) => `${line}${end}`).join('')).join('');
      expect(parseRecord(text)).toEqual(new Map(lines.map(([key, value]) => [key, value])));
    }));
  });
  test('of any text at all, reads what can be read or quotes a line of it, and what it read it reads again', () => {
    const line = fc.oneof(fc.string(), fc.tuple(KEY, fc.string()).map(([key, value]) => `${key} = ${value}`), fc.stringMatching(/^[a-z.=# ]{0,20}$/));
    fc.assert(fc.property(fc.array(line), (lines) => {
      const text = lines.join('\n');
      let values: RecordValues;
      try {
        values = parseRecord(text);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        expect(text.split('\n').some((one) => error.message.includes(quoted(one.trim())))).toBe(true);
        return;
      }
      const single = new Map([...values].filter(([, value]) => !value.includes('\r')));
      expect(parseRecord(formatRecord(single))).toEqual(single);
    }));
  });
  test('tells no password, whatever is wrong with its line', () => {
    const secret = fc.stringMatching(/^[A-Z0-9]{12,16}$/);
    const key = fc.constantFrom('node.session.auth.password', 'node.session.auth.password_in', 'discovery.sendtargets.auth.password', 'discovery.sendtargets.auth.password_in');
    const broken = fc.tuple(key, fc.constantFrom(' ', ': ', '\t', ' =', '= ', ' = '), fc.constantFrom('', '1', '= ', 'a b ', '"'), secret);
    fc.assert(fc.property(broken, ([name, between, before, hidden]) => {
      const messageOf = (text: string): string => {
        try {
          parseRecord(text);
          return '';
        } catch (error) {
          return String(error);
        }
      };
      expect(messageOf(`${before}${name}${between}${hidden}`)).not.toContain(hidden);
      expect(messageOf(`${name}${between === ' = ' ? ' ' : between}${hidden}`)).not.toContain(hidden);
    }));
  });
  test('reads keys and values, and keeps an equals sign of the value', () => {
    expect([...parseRecord('# BEGIN RECORD 2.1.8\nnode.name = iqn.a:b\nnode.conn[0].address=192.0.2.10\n  iface.bootproto =\tdhcp  \r\n\nnode.session.auth.password = a = b\n# END RECORD\n')]).toEqual([
      ['node.name', 'iqn.a:b'], ['node.conn[0].address', '192.0.2.10'], ['iface.bootproto', 'dhcp'], ['node.session.auth.password', 'a = b'],
    ]);
  });
  test('leaves out keys without a value', () => { expect([...parseRecord('iface.hwaddress = <empty>\niface.ipaddress =\niface.vlan_id = 0')]).toEqual([['iface.vlan_id', '0']]); });
  test('goes by the last of two equal keys', () => { expect(parseRecord('iface.mtu = 1500\niface.mtu = 9000').get('iface.mtu')).toBe('9000'); });
  test.each(['no equals sign', '= value', '1key = value', 'a key = value', 'schlüssel = value', '<iface>'])('throws a SyntaxError that quotes the line it does not understand: %s', (line) => {
    expect(() => parseRecord(`iface.mtu = 1500\n${line}\n`)).toThrow(new SyntaxError(`Cannot read the record line ${JSON.stringify(line)}: expected "key = value"`));
  });
  test.each(['node.session.auth.password hush-hush', 'node.session.auth.password_in: hush-hush', 'discovery.sendtargets.auth.PASSWORD hush-hush', 'my node.session.auth.password = hush-hush'])('throws a SyntaxError that tells no password: %s', (line) => {
    expect(() => parseRecord(line)).toThrow(/^(?!.*hush).*password/i);
  });
});

describe('formatRecord()', () => {
  test('writes as open-iscsi does, with our comment', () => {
    expect(formatRecord(new Map([['node.name', 'iqn.a'], ['node.tpgt', '1']]), 'made by us')).toBe('# BEGIN RECORD\n# made by us\nnode.name = iqn.a\nnode.tpgt = 1\n# END RECORD\n');
  });
  test.each(['a\nnode.startup = automatic', 'a\r', '\n'])('refuses a value of more than one line: %j', (value) => {
    expect(() => formatRecord(new Map([['node.name', value]]))).toThrow(new SyntaxError('Cannot write the record key node.name: its value has more than one line'));
  });
  test('refuses a password of more than one line without telling it', () => {
    expect(() => formatRecord(new Map([['node.session.auth.password', 'hush\nhush']]))).toThrow(/^(?!.*hush)/s);
  });
});

test.each(['', '<empty>', '(null)', '<NULL>', 'default'])('isUnset(%j)', (word) => { expect(isUnset(word)).toBe(true); });
test.each(['0', 'empty', 'Default', 'null'])('isUnset(%j) is false', (word) => { expect(isUnset(word)).toBe(false); });
test('valueOf() is undefined where the record has no value, or a word that stands for none', () => {
  const record = parseRecord('iface.hwaddress = default\niface.ipaddress = 192.0.2.1');
  expect(['iface.hwaddress', 'iface.net_ifacename', 'iface.ipaddress'].map((key) => valueOf(record, key))).toEqual([undefined, undefined, '192.0.2.1']);
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isStandardName, parseTargetName } from '../../src/connection/target-name.js';
import { formatRecord, parseRecord } from '../../src/database/record-text.js';

describe('parseTargetName()', () => {
  test.each([
    'iqn.2003-01.org.linux-iscsi.iron_man.x8664:sn.x',
    'iqn.2003-01.org.linux-iscsi.Iron_Man.x8664:sn.0123',
    'IQN.2010-10.ORG.OPENSTACK:VOLUME-1',
    'iqn.1992-08.com.netapp:sn.869ebc3e:vs.30',
    'iqn.2001-05.com.equallogic:0-8a0906-b2f3c4d5e-0f1c8a4b7c65e1a2-vol',
    'iqn.2000-01.com.synology:NAS.Target-1.a+b=c@d,e~f',
    'iqn.2004-04.com.qnap:ts-453:iscsi.vol#1.0(x)',
    'iqn.2015-13.org.example:a month that is none'.replaceAll(' ', '-'),
    'eui.02004567A425678D',
    'naa.0123456789abcdef0123456789abcdef',
    'disk1',
    'iqn.2010-10.org.example:größe',
    `iqn.2010-10.org:${'x'.repeat(207)}`,
  ])('parseTargetName() accepts %s as it is', (name) => {
    expect(parseTargetName(name)).toBe(name);
  });

  test.each<[string, RegExp]>([
    ['', /is empty/],
    ['iqn.2010-10.org:a/b', /a slash/],
    ['iqn.2010-10.org:a\\b', /a slash/],
    ['..', /"\.\."/],
    ['iqn.2010-10.org:a..b', /"\.\."/],
    ['-iqn.2010-10.org:a', /in front/],
    ['.iqn', /in front/],
    ['iqn.2010-10.org:a b', /a blank/],
    ['iqn.2010-10.org:a\tb', /a blank/],
    ['iqn.2010-10.org:a\nnode.startup = automatic', /a blank/],
    ['iqn.2010-10.org:\u00a0a', /a blank/],
    ['iqn.2010-10.org:\u202ea', /not seen/],
    ['iqn.2010-10.org:\u200ba', /not seen/],
    ['iqn.2010-10.org:\u0000', /not seen/],
    ['iqn.2010-10.org:\ufffd', /not seen/],
    ['iqn.2010-10.org:%d', /a pattern/],
    ['iqn.2010-10.org:*', /a pattern/],
    ['iqn.2010-10.org:[a]', /a pattern/],
    ['iqn.2010-10.org:"a"', /markup/],
    ['iqn.2010-10.org:<a>', /markup/],
    [`iqn.2010-10.org:${'x'.repeat(208)}`, /224 bytes/],
    [`iqn.2010-10.org:${'ü'.repeat(104)}`, /224 bytes/],
  ])('parseTargetName() refuses %j, with a reason and an example', (name, why) => {
    expect(() => parseTargetName(name)).toThrow(why);
    expect(() => parseTargetName(name)).toThrow(/expected the form iqn/);
  });

  test("parseTargetName() refuses what would leave its folder, be an option, or break a record's line", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[-a.:/ \n=#%,]{1,12}$/)), (text) => {
        let name: string;
        try {
          name = parseTargetName(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
          return;
        }
        expect(name.startsWith('-') || name.includes('/') || name.split('/').includes('..') || /\s/.test(name)).toBe(
          false,
        );
        expect(parseRecord(formatRecord(new Map([['node.name', name]]))).get('node.name')).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test('parseTargetName() distinguishes names by case alone, as open-iscsi and targets do', () => {
    expect(parseTargetName('iqn.2010-10.org.example:A')).not.toBe(parseTargetName('iqn.2010-10.org.example:a'));
  });
});

test.each([
  ['iqn.2010-10.org.example:host', true],
  ['iqn.2010-13.org.example:host', false],
  ['my-host', false],
  ['eui.02004567A425678D', true],
  ['iqn.2010-10.org.example:a b', false],
])('isStandardName(%j) is %p', (name, is) => {
  expect(isStandardName(name)).toBe(is);
});

import { describe, expect, test } from '@jest/globals';
import { formatDomainRef, parseDomainRef } from '../../src/libvirt/libvirt.js';

describe('parseDomainRef()', () => {
  test.each(['guest', 'instance-0000002a', 'a b', '7', 'Gäste', 'a;b'])('parseDomainRef(%p) is a name', (name) => {
    expect(parseDomainRef(name)).toEqual({ kind: 'name', name });
    expect(formatDomainRef(parseDomainRef(name))).toBe(name);
  });

  test.each(['4DEA22B3-1D52-D8F3-2516-782E98AB3FA0', '4dea22b31d52d8f32516782e98ab3fa0'])(
    'parseDomainRef(%p) is a UUID, in its one spelling',
    (text) => {
      expect(formatDomainRef(parseDomainRef(text))).toBe('4dea22b3-1d52-d8f3-2516-782e98ab3fa0');
    },
  );

  test.each(['', '-x', '--all', 'a/b', 'a\nb', 'a\u0000', '\u007f'])('parseDomainRef() refuses %p', (text) => {
    expect(() => parseDomainRef(text)).toThrow(SyntaxError);
  });
});

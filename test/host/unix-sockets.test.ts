import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isListenedOn } from '../../src/host/unix-sockets.js';
import { captured } from '../initiator/captured.js';

const NAME = '@ISCSIADM_ABSTRACT_NAMESPACE';
const line = (flags: string, path: string): string =>
  `0000000000000000: 00000002 00000000 ${flags} 0001 01 12229 ${path}\n`;

test('isListenedOn() finds the socket of a real iscsid', () => {
  expect(isListenedOn(captured('host/unix'), NAME)).toBe(true);
  expect(isListenedOn(captured('host/unix').replaceAll(NAME, '@OTHER'), NAME)).toBe(false);
});

test.each([
  ['zero bytes behind the name', line('00010000', `${NAME}@@@@`), true],
  ['a connection to it, which outlives who listened', line('00000000', NAME), false],
  ['a longer name', line('00010000', `${NAME}_2`), false],
  ['a name with it at the end', line('00010000', `@x${NAME}`), false],
  ['a file of that name', line('00010000', NAME.slice(1)), false],
  ['a socket without a name', line('00010000', ''), false],
  ['odd lines around it', `what is this\n\n${line('zzzz', NAME)}${line('00010000', NAME)}`, true],
])('isListenedOn() with %s', (_what, text, listens) => {
  expect(isListenedOn(`Num       RefCount Protocol Flags    Type St Inode Path\n${text}`, NAME)).toBe(listens);
});

test('isListenedOn() reads any text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(isListenedOn(text, NAME)).toBe(false);
    }),
  );
});

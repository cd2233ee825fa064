import { expect, test } from '@jest/globals';
import { compareResidue } from '../../lab/machine/residue.js';

const BEFORE = ['disk sda', 'session iqn.2026-11.org.example:a at 10.99.1.1 over default'];

test('compareResidue() finds nothing when all is as it was, in whatever order', () => {
  expect(compareResidue(BEFORE, BEFORE.toReversed())).toEqual([]);
});

test('compareResidue() shows what was left and what is gone', () => {
  expect(compareResidue(BEFORE, ['disk sdb', ...BEFORE.slice(1)])).toEqual(['+ disk sdb', '- disk sda']);
});

test('compareResidue() counts a second session of the same portal and iface', () => {
  expect(compareResidue(BEFORE, [...BEFORE, ...BEFORE.slice(1)])).toEqual([`+ ${BEFORE[1] ?? ''}`]);
});

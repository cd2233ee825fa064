import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { SYSTEM_HOST_IDENTITY } from '../../../src/host/node/system-host-identity.js';

test('SYSTEM_HOST_IDENTITY says what uname(1) says', () => {
  const uname = (flag: string): string => execFileSync('uname', [flag], { encoding: 'utf8' }).trim();
  expect({ host: SYSTEM_HOST_IDENTITY.hostName(), machine: SYSTEM_HOST_IDENTITY.machine() }).toEqual({
    host: uname('-n'),
    machine: uname('-m'),
  });
});

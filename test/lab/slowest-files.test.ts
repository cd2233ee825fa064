import { expect, test } from '@jest/globals';
import { slowestFiles } from '../../lab/host/slowest-files.js';

test('slowestFiles() sorts by what each file took, and leaves the checkout out of its path', () => {
  const result = JSON.stringify({
    testResults: [
      { name: '/home/me/checkout/test/a.test.ts', startTime: 1000, endTime: 1250 },
      { name: '/home/me/checkout/test/b.test.ts', startTime: 1000, endTime: 9000 },
      { name: '/elsewhere/c.test.ts', startTime: 5000, endTime: 6000 },
    ],
  });
  expect(slowestFiles(result, '/home/me/checkout', 2)).toEqual([
    { file: 'test/b.test.ts', seconds: 8 },
    { file: '/elsewhere/c.test.ts', seconds: 1 },
  ]);
});

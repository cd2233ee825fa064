import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { closingLine, parseJestTally, parseLabTally, sum } from './tally.js';

/** `close.js FOLDER FAILED SKIPPED`: adds up what stands in FOLDER (jest.json, lab.json) and what the script counted itself. */
const [folder = '.', failed = '0', skipped = '0'] = process.argv.slice(2);
const read = (name: string): string | undefined => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined);
const jest = read('jest.json');
const lab = read('lab.json');
const total = sum([
  ...(jest === undefined ? [] : [parseJestTally(jest)]),
  ...(lab === undefined ? [] : [parseLabTally(lab)]),
  { passed: 0, failed: Number(failed), skipped: Number(skipped) },
]);
process.stdout.write(`${closingLine(total)}\n`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

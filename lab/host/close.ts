import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { failuresTable, parseJestFailures, parseLabFailures } from './failures.js';
import { slowestFiles } from './slowest-files.js';
import { closingLine, parseJestTally, parseLabTally, parseStages, sum, withStages } from './tally.js';

/**
 * `close.js FOLDER FAILED SKIPPED`: adds up what stands in FOLDER (jest*.json, lab*.json) and what the script counted
 * itself, says how long each stage took (stages), and last which tests failed: a log is read from its end.
 */
const [folder = '.', failed = '0', skipped = '0'] = process.argv.slice(2);
const names = readdirSync(folder);
const textsOf = (pattern: RegExp): readonly string[] =>
  names.filter((name) => pattern.test(name)).map((name) => readFileSync(join(folder, name), 'utf8'));

const jest = join(folder, 'jest.json');
if (existsSync(jest)) {
  process.stdout.write('Slowest unit tests\n');
  for (const { file, seconds } of slowestFiles(readFileSync(jest, 'utf8'), process.cwd()))
    process.stdout.write(`  ${seconds.toFixed(1).padStart(6)} s  ${file}\n`);
}
const noted = join(folder, 'stages');
const stages = existsSync(noted) ? parseStages(readFileSync(noted, 'utf8')) : [];
if (stages.length > 0) process.stdout.write('Stages, in the order in which they ended\n');
for (const { name, seconds, failed: didFail } of stages)
  process.stdout.write(`  ${String(seconds).padStart(6)} s  ${name}${didFail ? '  FAILED' : ''}\n`);
const tallies = [...textsOf(/^jest.*\.json$/).map(parseJestTally), ...textsOf(/^lab.*\.json$/).map(parseLabTally)];
const total = withStages(sum([...tallies, { passed: 0, failed: Number(failed), skipped: Number(skipped) }]), stages);
const failures = [
  ...textsOf(/^jest.*\.json$/).flatMap((text) => parseJestFailures(text, process.cwd())),
  ...textsOf(/^lab.*\.json$/).flatMap(parseLabFailures),
];
process.stdout.write(failuresTable(failures));
process.stdout.write(`\n${closingLine(total)}\n`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

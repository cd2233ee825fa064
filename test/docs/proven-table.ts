import { existsSync, readFileSync } from 'node:fs';

/**
 * A row of a page whose rows say what proves them:
 * `| number | what | **status** words, with tests and files in backticks |`.
 */
export interface ProvenRow {
  readonly number: string;
  readonly status: string;
  /** Tests, as `file: title`. */
  readonly tests: readonly { readonly file: string; readonly title: string }[];
  readonly files: readonly string[];
  /** The third column, less its status. */
  readonly words: string;
}

const ROW = /^\| (?<number>[A-Z]+-?\d+b?) \| .+ \| \*\*(?<status>[a-z ]+)\*\* (?<words>.+) \|$/;
const TEST = /^(?<file>(?:src|test|lab)\/\S+\.ts): (?<title>.+)$/;
const FILE = /^(?:src|test|lab|docs|config|examples)\/\S+$/;

/** Every row that begins with a number. @throws {SyntaxError} that quotes one that is not of the form */
export function readProvenRows(page: string): readonly ProvenRow[] {
  return page
    .split('\n')
    .filter((line) => /^\| [A-Z]+-?\d/.test(line))
    .map((line) => {
      const { number, status, words } = ROW.exec(line)?.groups ?? {};
      if (number === undefined || status === undefined || words === undefined)
        throw new SyntaxError(`Cannot read the row ${JSON.stringify(line)}`);
      const quoted = [...words.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
      const tests = quoted.flatMap((text) => {
        const { file, title } = TEST.exec(text)?.groups ?? {};
        return file === undefined || title === undefined ? [] : [{ file, title }];
      });
      return { number, status, words, tests, files: quoted.filter((text) => FILE.test(text)) };
    });
}

/** Whether the file has a test, or a group of tests, of exactly this title. */
export function hasTest({ file, title }: { readonly file: string; readonly title: string }): boolean {
  if (!existsSync(file)) return false;
  const text = readFileSync(file, 'utf8').replaceAll(/\\(['"`])/g, '$1');
  return ["'", '"', '`'].some((quote) => {
    const parts = text.split(`${quote}${title}${quote},`);
    return parts.slice(0, -1).some((before) => /(?:\b(?:test|it|describe|promise)|\))\(\s*$/.test(before));
  });
}

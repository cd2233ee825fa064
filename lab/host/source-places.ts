import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join, normalize } from 'node:path';

const PROGRAMS = 'build/lab/machine';
/** A place in a program, as a stack trace of the lab machine has it. */
const PLACE = /(?:file:\/\/)?\/project\/build\/lab\/machine\/([\w-]+\.js):(\d+):(\d+)/g;
const maps = new Map<string, SourceMap | undefined>();

/**
 * Puts lines of the TypeScript source in the place of those of the programs. Node could do so in the machine
 * (`--enable-source-maps`), where the reading of a map costs each scenario two seconds under emulation, and each error
 * a search in it.
 * @param programs the folder with the programs and their maps
 */
export function withSourcePlaces(text: string, programs = PROGRAMS): string {
  return text.replace(PLACE, (place, program: string, line: string, column: string) => {
    const entry = mapOf(join(programs, `${program}.map`))?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return place;
    return `${normalize(join(programs, entry.originalSource))}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function mapOf(file: string): SourceMap | undefined {
  if (!maps.has(file))
    maps.set(
      file,
      existsSync(file)
        ? new SourceMap(JSON.parse(readFileSync(file, 'utf8')) as ConstructorParameters<typeof SourceMap>[0])
        : undefined,
    );
  return maps.get(file);
}

import { parseArgs } from 'node:util';

export const USAGE =
  'lab.sh [--list | --shell | --demo | --build] [--release N | --releases N,N] [--tally FILE] [SCENARIO...]';

export interface LabArguments {
  /** `run` when no other is asked for. */
  readonly task: 'run' | 'list' | 'shell' | 'demo' | 'build';
  /** As it was written, such as `13,12`; else LIBVIRT_VOLUME_LAB_RELEASE. */
  readonly releases?: string;
  readonly tallyFile?: string;
  readonly scenarios: readonly string[];
}

/**
 * Reads the words after `npm run lab --`. `--build` beside another task builds for that task, and stops.
 * @throws {TypeError} naming the option that there is not
 */
export function readArguments(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): LabArguments {
  const flag = { type: 'boolean' } as const;
  const value = { type: 'string' } as const;
  const options = { list: flag, shell: flag, demo: flag, build: flag, release: value, releases: value, tally: value };
  const { values, positionals } = parseArgs({ args: [...words], allowPositionals: true, options });
  const releases = values.releases ?? values.release ?? env['LIBVIRT_VOLUME_LAB_RELEASE'];
  const task = (['list', 'build', 'shell', 'demo'] as const).find((name) => values[name] === true) ?? 'run';
  return {
    task,
    scenarios: positionals,
    ...(releases === undefined ? {} : { releases }),
    ...(values.tally === undefined ? {} : { tallyFile: values.tally }),
  };
}

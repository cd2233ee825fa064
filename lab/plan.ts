export interface Scenario {
  readonly name: string;
  /** How long it may take before it is stopped. */
  readonly limitSeconds: number;
  /** What has to be up before it begins. */
  readonly services: readonly Service[];
  /** How long it takes under emulation, about: the longest begin first. */
  readonly seconds: number;
  /** The Debian releases whose machine it runs in when it is not named: `none` is an empty list. */
  readonly releases: readonly string[];
  /** It leaves the machine unfit for another scenario, on purpose: it passes when that is seen. */
  readonly spoils: boolean;
}

/** What a machine can boot with. */
export const SERVICES = ['libvirt', 'multipath'] as const;
export type Service = (typeof SERVICES)[number];
/** What a scenario may count on: multipathd is not among it, as it would put a map over the single disks of others. */
const NEEDED: readonly Service[] = ['libvirt'];

const DEFAULT_LIMIT_SECONDS = 360;
const DEFAULT_SECONDS = 30;

/**
 * Reads what a scenario file says of itself in its head: `// needs: libvirt`, `// releases: 13 12`, `// takes: 90 s`,
 * `// limit: 300 s` and `// spoils: the machine`, each on a line.
 * @param releases those there are; the first is that of a scenario that names none
 * @throws {SyntaxError} naming the file and the word it does not know
 */
export function parseScenario(name: string, text: string, releases: readonly [string, ...string[]]): Scenario {
  const textOf = (key: string): string => new RegExp(`^// ${key}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const wordsOf = (key: string): readonly string[] =>
    textOf(key)
      .split(/[ ,]+/)
      .filter((word) => word !== '');
  const services = wordsOf('needs').map((word) => {
    const service = NEEDED.find((known) => known === word);
    if (service === undefined)
      throw new SyntaxError(`Cannot read what scenario ${name} needs: "${word}" is none of ${NEEDED.join(', ')}`);
    return service;
  });
  const isByName = textOf('releases') === 'none';
  const own = isByName ? [] : wordsOf('releases');
  const unknown = own.find((word) => !releases.includes(word));
  if (unknown !== undefined) {
    throw new SyntaxError(
      `Cannot read the releases of scenario ${name}: "${unknown}" is none of ${releases.join(', ')}`,
    );
  }
  const secondsOf = (key: string, otherwise: number): number => Number(/^(\d+) s$/.exec(textOf(key))?.[1] ?? otherwise);
  return {
    name,
    services,
    releases: own.length === 0 && !isByName ? [releases[0]] : own,
    spoils: textOf('spoils') === 'the machine',
    seconds: secondsOf('takes', DEFAULT_SECONDS),
    limitSeconds: secondsOf('limit', DEFAULT_LIMIT_SECONDS),
  };
}

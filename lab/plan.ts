export interface Scenario {
  readonly name: string;
  /** How long it may take before it is stopped. */
  readonly limitSeconds: number;
  /** What has to be up before it begins. */
  readonly services: readonly Service[];
}

export const SERVICES = ['libvirt', 'multipath'] as const;
export type Service = (typeof SERVICES)[number];

const DEFAULT_LIMIT_SECONDS = 360;

/**
 * Reads what a scenario file says of itself in its head: `// needs: libvirt` and `// limit: 300 s`, each on a line.
 * @throws {SyntaxError} naming the file and the word it does not know
 */
export function parseScenario(name: string, text: string): Scenario {
  const needs = /^\/\/ needs: (.*)$/m.exec(text)?.[1]?.split(/[ ,]+/).filter((word) => word !== '') ?? [];
  const services = needs.map((word) => {
    const service = SERVICES.find((known) => known === word);
    if (service === undefined) throw new SyntaxError(`Cannot read what scenario ${name} needs: "${word}" is none of ${SERVICES.join(', ')}`);
    return service;
  });
  const limit = /^\/\/ limit: (\d+) s$/m.exec(text)?.[1];
  return { name, services, limitSeconds: limit === undefined ? DEFAULT_LIMIT_SECONDS : Number(limit) };
}

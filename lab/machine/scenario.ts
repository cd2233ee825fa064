import * as nodeTest from 'node:test';

type Body = (context: nodeTest.TestContext) => Promise<void> | void;

/** node:test's `test`, for the top level of a scenario: there its promise is node's own to wait for. */
export function test(name: string, body: Body): void {
  void nodeTest.test(name, body);
}

export { after, before } from 'node:test';

import { expect, test } from '@jest/globals';
import ts from 'typescript';
import { isVolumeError, VolumeError } from '../../src/base/volume-error.js';

const FILE = 'src/base/error-details.ts';

/** Every `new VolumeError('CODE', …, { details })` of src, with the names and types of its details. */
function thrown(): readonly { readonly where: string; readonly code: string; readonly wrong: readonly string[] }[] {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile('tsconfig.build.json', (file) => ts.sys.readFile(file)).config,
    ts.sys,
    process.cwd(),
  );
  const program = ts.createProgram(['src/index.ts', 'src/cli/main.ts'], options);
  const checker = program.getTypeChecker();
  const declared = declaredDetails(program, checker);
  const found: { where: string; code: string; wrong: string[] }[] = [];
  const visit = (source: ts.SourceFile, node: ts.Node): void => {
    ts.forEachChild(node, (child) => {
      visit(source, child);
    });
    if (!ts.isNewExpression(node) || node.expression.getText(source) !== 'VolumeError') return;
    const [code, , last] = node.arguments ?? [];
    if (code === undefined || last === undefined || !ts.isStringLiteral(code)) return;
    const details = checker.getTypeAtLocation(last).getProperty('details');
    if (details === undefined) return;
    const type = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(details, last));
    const members = type.isUnion() ? type.types : [type];
    const wrong = members.flatMap((member) =>
      member.getProperties().flatMap((property) => {
        const expected = declared(code.text, property.name);
        const given = checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(property, last));
        return expected !== undefined && checker.isTypeAssignableTo(given, expected)
          ? []
          : [`${property.name}: ${checker.typeToString(given)}`];
      }),
    );
    found.push({
      where: `${source.fileName}:${source.getLineAndCharacterOfPosition(node.pos).line}`,
      code: code.text,
      wrong,
    });
  };
  for (const source of program.getSourceFiles()) if (!source.isDeclarationFile) visit(source, source);
  return found;
}

function declaredDetails(
  program: ts.Program,
  checker: ts.TypeChecker,
): (code: string, name: string) => ts.Type | undefined {
  const file = program.getSourceFiles().find(({ fileName }) => fileName.endsWith(FILE));
  const declaration = file?.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === 'ErrorDetails',
  );
  if (declaration === undefined) throw new Error(`${FILE} declares no ErrorDetails`);
  const all = checker.getTypeAtLocation(declaration);
  return (code, name) => {
    const details = all.getProperty(code);
    const property =
      details === undefined ? undefined : checker.getTypeOfSymbolAtLocation(details, declaration).getProperty(name);
    return property === undefined ? undefined : checker.getTypeOfSymbolAtLocation(property, declaration);
  };
}

test('ErrorDetails declares every detail that src gives an error, with its type', () => {
  const all = thrown();
  expect(all.length).toBeGreaterThan(40);
  expect(all.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
}, 120_000);

test('isVolumeError() gives the details of its codes their types', () => {
  const error: unknown = new VolumeError('DEVICE_IN_USE', 'in use', { details: { users: [{ pid: 7, name: 'qemu' }] } });
  if (!isVolumeError(error, 'DEVICE_IN_USE')) throw error;
  const pids: readonly number[] = (error.details.users ?? []).map(({ pid }) => pid);
  const { code }: { readonly code: 'DEVICE_IN_USE' } = error;
  expect([code, pids]).toEqual(['DEVICE_IN_USE', [7]]);
  expect(isVolumeError(error, 'DEVICE_MISMATCH', 'DEVICE_NOT_FOUND')).toBe(false);
});

/**
 * The project's files as the tidy rules see them: path, text, syntax tree, and what each imports.
 *
 * Paths are relative to the project's root with `/` between their parts. A rule is a function from sources to
 * complaints, so that it can be tried on a planted file as well as on the project.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { listFiles, projectRoot } from './files.js'

/** One dependency of a file. */
export interface Import {
  /** As written: `./log.js`, `node:fs`, `ws`. */
  readonly module: string
  /** The file of the project that it names, if it is relative. */
  readonly target: string | undefined
  /** Imported names; `*` for all of them. */
  readonly names: readonly string[]
  readonly line: number
}

/** One TypeScript file. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile
  readonly imports: readonly Import[]
}

/** All TypeScript files under these folders of the project. */
export function readSources(folders: readonly string[], root = projectRoot): Source[] {
  return listFiles(folders, root)
    .filter(file => file.endsWith('.ts'))
    .map(file => parseSource(file, readFileSync(path.join(root, file), 'utf8')))
}

/** Parses one file. */
export function parseSource(file: string, text: string): Source {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TS)
  return { path: file, text, tree, imports: findImports(file, tree) }
}

/** The line of a position in the file, from 1. */
export function lineOf(tree: ts.SourceFile, position: number): number {
  return tree.getLineAndCharacterOfPosition(position).line + 1
}

/** Calls for the node and all below it, parents first. */
export function walk(node: ts.Node, call: (node: ts.Node) => void): void {
  call(node)
  ts.forEachChild(node, child => walk(child, call))
}

function findImports(file: string, tree: ts.SourceFile): Import[] {
  const imports: Import[] = []
  const add = (specifier: ts.Node | undefined, names: readonly string[]): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const module = specifier.text
    imports.push({
      module,
      target: resolve(file, module),
      names,
      line: lineOf(tree, specifier.getStart(tree)),
    })
  }
  walk(tree, node => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, importedNames(node))
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, exportedNames(node))
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, ['*'])
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], ['*'])
    } else if (isWorkerEntry(node)) add(node.arguments?.[0], ['*'])
  })
  return imports
}

/** `new URL('./worker.js', import.meta.url)`: how a worker's file is named. */
function isWorkerEntry(node: ts.Node): node is ts.NewExpression {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return false
  const [file, base] = node.arguments ?? []
  if (file === undefined || !ts.isStringLiteralLike(file) || base?.getText() !== 'import.meta.url')
    return false
  return /^\.{1,2}\/.*\.js$/.test(file.text)
}

function importedNames(node: ts.ImportDeclaration): string[] {
  const clause = node.importClause
  const names = clause?.name ? ['default'] : []
  const bindings = clause?.namedBindings
  if (bindings === undefined) return names
  if (ts.isNamespaceImport(bindings)) return [...names, '*']
  return [...names, ...bindings.elements.map(element => (element.propertyName ?? element.name).text)]
}

function exportedNames(node: ts.ExportDeclaration): string[] {
  if (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)) return ['*']
  return node.exportClause.elements.map(element => (element.propertyName ?? element.name).text)
}

function resolve(from: string, module: string): string | undefined {
  if (!module.startsWith('.')) return undefined
  return path.posix.join(path.posix.dirname(from), module).replace(/\.js$/, '.ts')
}

/** Rules about single files: the outside world, sizes, headers, doc comments, names, leftovers. */
import ts from 'typescript'
import { folderOf } from './graph.js'
import { lineOf, type Source, walk } from './source.js'

/** Sizes that nothing exceeds. */
export const sizes = { fileLinesMax: 500, lineCharsMax: 110, functionLinesMax: 60 } as const

interface Ban {
  /** A global name, or a property of one: `Date.now`. */
  readonly name: RegExp
  /** Folders of `src/` where it is allowed. */
  readonly except: readonly string[]
  readonly why: string
}

const bans: readonly Ban[] = [
  {
    name: /^Date\.now$|^performance\b|^process\.(hrtime|uptime)$/,
    except: ['env', 'sim'],
    why: 'time is a Clock',
  },
  { name: /^AbortSignal\.timeout$/, except: ['env', 'sim'], why: 'timers are a Clock' },
  { name: /^set(Timeout|Interval|Immediate)$/, except: ['env', 'sim'], why: 'timers are a Clock' },
  { name: /^Math\.random$/, except: ['env', 'sim'], why: 'chance is a Random' },
  { name: /^crypto\.(random|getRandom|webcrypto)/, except: ['env', 'sim'], why: 'chance is a Random' },
  { name: /^(fetch|WebSocket|EventSource)$/, except: ['env', 'cli'], why: 'the network is a Network' },
  { name: /^process\.(exit|abort|kill)$/, except: ['cli'], why: 'a library ends no process' },
  { name: /^console$/, except: ['cli'], why: 'a library prints nothing' },
  { name: /^Intl\b/, except: ['cli'], why: 'nothing depends on a locale' },
]

const randomOfCrypto = /^(random|getRandom|webcrypto|generate|default$|\*$)/

/** Time, chance, timers, network and the process are reached through `env/` only. */
export function checkBans(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const folder = folderOf(source.path)
    if (folder === undefined) return []
    const complaints = cryptoImports(source, folder)
    walk(source.tree, node => {
      const used = usedName(node, source.tree)
      if (used === undefined) return
      for (const { name, except, why } of bans) {
        if (!name.test(used) || except.includes(folder)) continue
        complaints.push(`${source.path}:${lineOf(source.tree, node.getStart())}: ${used}: ${why}`)
      }
    })
    walk(source.tree, node => {
      const at = () => `${source.path}:${lineOf(source.tree, node.getStart())}`
      if (isPresentDate(node) && folder !== 'env')
        complaints.push(`${at()}: the present by Date: time is a Clock`)
      if (isLocaleCall(node) && folder !== 'cli') complaints.push(`${at()}: nothing depends on a locale`)
    })
    return complaints
  })
}

function cryptoImports(source: Source, folder: string): string[] {
  if (folder === 'env') return []
  return source.imports
    .filter(({ module }) => module === 'node:crypto')
    .flatMap(({ names, line }) =>
      names
        .filter(name => randomOfCrypto.test(name))
        .map(
          name =>
            `${source.path}:${line}: ${name} of node:crypto: chance is a Random; hashing goes by its name`,
        ),
    )
}

/**
 * A global as used here: `setTimeout`, `Date.now`, also through `globalThis`. Undefined for every other node.
 */
function usedName(node: ts.Node, tree: ts.SourceFile): string | undefined {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const text = `${node.expression.text}.${node.name.text}`
    return text.startsWith('globalThis.') ? node.name.text : text
  }
  if (!ts.isIdentifier(node) || !isValue(node)) return undefined
  return node.getText(tree)
}

/** True for an identifier that is read as a value, not declared, not a member's name, not a type. */
function isValue(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== node && !isPartOfBan(parent)
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isTypeNode(parent) || ts.isQualifiedName(parent)) return false
  const declares =
    ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent)
      ? parent.initializer !== node
      : ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isFunctionDeclaration(parent)
  return !declares && !ts.isImportSpecifier(parent) && !ts.isImportClause(parent)
}

/** `performance.now`: told once, for the whole access. */
function isPartOfBan(access: ts.PropertyAccessExpression): boolean {
  const text = access.getText()
  return bans.some(({ name }) => name.test(text))
}

/** `new Date()`, `Date()`: both read the wall clock. */
function isPresentDate(node: ts.Node): boolean {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return false
  return (
    node.expression.getText() === 'Date' && (ts.isCallExpression(node) || (node.arguments?.length ?? 0) === 0)
  )
}

function isLocaleCall(node: ts.Node): boolean {
  return ts.isPropertyAccessExpression(node) && /^(localeCompare|toLocale\w*)$/.test(node.name.text)
}

/**
 * Files, lines and functions stay small. Functions are counted in `src/` only, without lines that are
 * comments.
 */
export function checkSizes(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const lines = source.text.replace(/\n$/, '').split('\n')
    const complaints: string[] = []
    if (lines.length > sizes.fileLinesMax) complaints.push(`${source.path}: ${lines.length} lines`)
    for (const [i, line] of lines.entries()) {
      if (line.length > sizes.lineCharsMax)
        complaints.push(`${source.path}:${i + 1}: ${line.length} characters`)
    }
    if (folderOf(source.path) !== undefined) complaints.push(...longFunctions(source, lines))
    return complaints
  })
}

function longFunctions(source: Source, lines: readonly string[]): string[] {
  const complaints: string[] = []
  walk(source.tree, node => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
    const first = lineOf(source.tree, node.getStart())
    const own = lines.slice(first - 1, lineOf(source.tree, node.end))
    const count = own.filter(line => !/^\s*(\/\/|\/\*|\*)/.test(line)).length
    if (count > sizes.functionLinesMax)
      complaints.push(`${source.path}:${first}: a function of ${count} lines`)
  })
  return complaints
}

/** Every file of `src/` begins by saying what it is. */
export function checkHeaders(sources: readonly Source[]): string[] {
  return sources
    .filter(source => folderOf(source.path) !== undefined)
    .filter(source => !/^(#!.*\n)?\/\*\* ?(?!\*\/)(\S|\n \* \S)/.test(source.text))
    .map(source => `${source.path}: no header comment`)
}

/**
 * Every exported declaration of `src/` has a doc comment; one declaration of an overloaded function is
 * enough.
 */
export function checkDocs(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    if (folderOf(source.path) === undefined) return []
    const documented = new Set<string>()
    const exported = new Map<string, number>()
    for (const statement of source.tree.statements) {
      for (const name of exportedNames(statement)) {
        if (!exported.has(name)) exported.set(name, lineOf(source.tree, statement.getStart()))
        if (ts.getJSDocCommentsAndTags(statement).length > 0) documented.add(name)
      }
    }
    return [...exported]
      .filter(([name]) => !documented.has(name))
      .map(([name, line]) => `${source.path}:${line}: ${name} has no doc comment`)
  })
}

function exportedNames(node: ts.Statement): string[] {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
  if (!modifiers.some(modifier => modifier.kind === ts.SyntaxKind.ExportKeyword)) return []
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map(one => one.name.getText())
  const isNamed =
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node)
  return isNamed ? [node.name?.text ?? 'default'] : [node.getText().slice(0, 40)]
}

const fileWords = new Set(
  ['shard', 'master', 'peer', 'manager', 'helper', 'util'].flatMap(word => [word, `${word}s`]),
)
const wholeNames = /^(manager|helper|util|shard|master)s?$/i
const wholeValues = /^(data|info)$/i
const foreignWords = /^(shard|master)s?$/i

/** Files are `kebab-case` and neither they nor what is declared in them carries an empty or foreign word. */
export function checkNames(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const complaints = checkFileName(source.path)
    if (folderOf(source.path) === undefined) return complaints
    walk(source.tree, node => {
      const name = declaredName(node)
      if (name === undefined) return
      const isMember = ts.isClassElement(node) || ts.isTypeElement(node)
      const isEmpty = wholeNames.test(name) || (!isMember && wholeValues.test(name))
      const isForeign = name.split(/_|(?=[A-Z])/).some(word => foreignWords.test(word))
      if (!isEmpty && !isForeign) return
      complaints.push(`${source.path}:${lineOf(source.tree, node.getStart())}: the name ${name}`)
    })
    return complaints
  })
}

/** File and folder names: `kebab-case`, without the words that say nothing. */
export function checkFileName(file: string): string[] {
  const complaints: string[] = []
  for (const part of file.split('/')) {
    const stem = part.replace(/(\.test)?\.[a-z0-9]+$/, '')
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) complaints.push(`${file}: ${part} is not kebab-case`)
    for (const word of stem.split('-')) {
      if (fileWords.has(word)) complaints.push(`${file}: the word ${word} in a file name`)
    }
  }
  return complaints
}

function declaredName(node: ts.Node): string | undefined {
  const declares =
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isClassElement(node) ||
    ts.isTypeElement(node)
  const name = declares ? node.name : undefined
  if (name === undefined) return undefined
  return ts.isIdentifier(name) || ts.isPrivateIdentifier(name) ? name.text.replace(/^#/, '') : undefined
}

/** Nothing is left for later. Tests of this very rule are not looked at. */
export function checkLeftovers(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  const marks = /\b(TODO|FIXME|XXX|HACK)\b/
  const promises = /\bfor now\b|\bnot (yet )?implemented\b/i
  return files
    .filter(file => !file.path.startsWith('test/tidy'))
    .flatMap(file =>
      file.text.split('\n').flatMap((line, i) => {
        const found = marks.exec(line) ?? (file.path.startsWith('src/') ? promises.exec(line) : null)
        return found === null ? [] : [`${file.path}:${i + 1}: ${found[0]}`]
      }),
    )
}

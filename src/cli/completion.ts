/**
 * What a shell may put behind the words that stand on a command line so far. The shell asks by
 * `--get-yargs-completions WORDS…`, as the script of `sillok completion` does; the last word is the one that
 * is being written, and may be empty.
 *
 * Verbs and options come from the parser of the command line, names of collections, indexes and constraints
 * from the log of a store that nobody holds: it is read under its lock and not opened, so nothing is written
 * to it. Where nothing fits, nothing is said, and the shell offers files. Nothing fails: a wrong folder, one
 * in use or a damaged one have no names.
 */
import type { Argv } from 'yargs'
import type { Arguments } from './command.js'
import { folderOf, mustHoldSomething } from './embedded.js'
import { outputFormats, type Sink } from './output.js'
import { shieldDashes, textOf } from './words.js'

const request = '--get-yargs-completions'

/** Stands for the word that is being written: where the parser puts it says what it may be. */
const here = '\0here'

/** The words of which a shell wants the last one completed; undefined: it is another command line. */
export function wordsToComplete(words: readonly string[]): readonly string[] | undefined {
  return words[0] === request ? words.slice(1) : undefined
}

/**
 * Writes the completions of the last word, one a line, with `:description` behind for zsh (SHELL says which
 * shell asks). `parser` makes a parser that tells which arguments it found for a verb.
 */
export async function complete(
  words: readonly string[],
  verbs: readonly string[],
  parser: (found: (given: Arguments) => void) => Argv,
  out: Sink,
): Promise<void> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const verb = before.find(word => verbs.includes(word))
  const isWord = before.includes('--') || !current.startsWith('-')
  const found =
    verb === undefined || !isWord
      ? await ofParser(
          parser(() => {}),
          verb === undefined ? [current] : [verb, current],
        )
      : await namesFor(await given(parser, before))
  const fitting = found.filter(text => text.startsWith(current) && !/^--.(:|$)/.test(text))
  await out.write([...new Set(fitting)].map(text => `${text}\n`).join(''))
}

/** Verbs, or options of a verb. */
async function ofParser(parser: Argv, words: readonly string[]): Promise<string[]> {
  let said = ''
  await parser.parseAsync([request, 'sillok', ...words], {}, (_failure, _given, text) => {
    said = text
  })
  return said.split('\n')
}

async function given(
  parser: (found: (given: Arguments) => void) => Argv,
  before: readonly string[],
): Promise<Arguments> {
  let arguments_: Arguments | undefined
  const found = (all: Arguments): void => {
    arguments_ ??= all
  }
  // A line that is not whole yet is refused, but what it holds is told all the same.
  await parser(found).parseAsync([...shieldDashes(before), here], {}, (_failure, all) => found(all))
  return arguments_ ?? {}
}

/** What may stand where the argument with the mark stands. */
async function namesFor(given: Arguments): Promise<readonly string[]> {
  const [place] = Object.entries(given).find(([name, value]) => name.length > 1 && isHere(value)) ?? []
  if (place === 'output') return outputFormats
  if (place === 'shell') return ['bash', 'zsh']
  const isSchema = place === 'collection' || place === 'index' || place === 'by' || place === 'constraint'
  if (!isSchema) return []
  const collections = await definedIn(given)
  const chosen = collections.find(({ name }) => name === given['collection'])
  const names = {
    collection: collections,
    index: chosen?.indexes,
    by: chosen?.unique,
    constraint: chosen?.unique,
  }
  // A name that a shell would read in another way is left to the user to quote.
  return (names[place] ?? []).map(({ name }) => name).filter(name => /^[\p{L}\p{N}_.-]+$/u.test(name))
}

function isHere(value: unknown): boolean {
  return value === here || (Array.isArray(value) && value.includes(here))
}

interface Named {
  readonly name: string
}

interface NamedCollection extends Named {
  readonly indexes: readonly Named[]
  readonly unique: readonly Named[]
}

/** The collections in the folder that the line or the environment names; none if it cannot be read now. */
async function definedIn(given: Arguments): Promise<readonly NamedCollection[]> {
  try {
    const folder = folderOf({ dir: textOf(given, 'dir') })
    await mustHoldSomething(folder)
    const { inspectFolder } = await import('./inspect-folder.js')
    return await inspectFolder(folder, inspection => inspection.collections())
  } catch {
    return []
  }
}

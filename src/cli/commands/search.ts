/** `sillok search`: documents that a search index answers a text with, the best first, page by page. */
import type { SearchFilter } from '../../derived/search/filter.js'
import type { FoundDocument, SearchOptions } from '../../store/search-types.js'
import type { Store } from '../../store/store.js'
import type { Arguments, Command, Terminal } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printRows } from '../output.js'
import { visible } from '../table.js'
import { UsageError } from '../usage.js'
import { countOf, isGiven, lookupValue, neededText, parseJson, textOf, textsOf } from '../words.js'

const matches = ['any', 'all'] as const

/**
 * Prints hits; how the next page is asked for stands on standard error. As a table `--highlight` shows the
 * fragments as lines of text, in the JSON forms as the HTML of `collection.search`.
 */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('index', { type: 'string', describe: 'name of a search index' })
      .positional('text', {
        type: 'string',
        describe: 'what is searched: words; "a phrase" is required, word* is a beginning',
      })
      .option('match', { type: 'string', requiresArg: true, describe: 'any (default) or all of the words' })
      .option('prefix', { type: 'boolean', describe: 'the last word is a beginning' })
      .option('where', {
        type: 'string',
        requiresArg: true,
        describe: 'FIELD=VALUE of a filter of the index, or an object of JSON; given again, both must hold',
      })
      .option('highlight', { type: 'boolean', describe: 'print where the documents have the words' })
      .option('limit', {
        type: 'string',
        requiresArg: true,
        describe: 'how many documents are printed at most (10)',
      })
      .option('after', {
        type: 'string',
        requiresArg: true,
        describe: 'the cursor that the page before ended with',
      })
      .example('$0 search notes text 서울 --highlight --where year=2024', ''),
  async run(given, terminal) {
    const options = optionsOf(given)
    await withPresentStore(given, terminal, store => printPage(store, given, options, terminal))
    return exitCodes.ok
  },
}

async function printPage(
  store: Store,
  given: Arguments,
  options: SearchOptions,
  terminal: Terminal,
): Promise<void> {
  const [collection, index] = [neededText(given, 'collection'), neededText(given, 'index')]
  const text = neededText(given, 'text')
  const { hits, cursor } = await store.collection(collection).search(index, text, options)
  if (terminal.format === 'table' && options.highlight === true) {
    const { highlightsOf, writeFragments } = await import('../found-text.js')
    const { match, prefix } = options
    const highlights = highlightsOf(store, { collection, index, text, match, prefix })
    for (const { key, score, document } of hits) {
      await terminal.out.write(`${visible(String(key))}  ${shortScore(score)}\n`)
      await writeFragments(highlights, document, terminal.out)
    }
  } else {
    await printRows(hits.map(fieldsOf), terminal.format, terminal.out)
  }
  if (cursor !== undefined) await terminal.err.write(`next page: --after ${cursor}\n`)
}

function fieldsOf({ key, version, score, document, highlights }: FoundDocument<Fields>): Fields {
  const found = { key, score: shortScore(score), version, document }
  return highlights === undefined ? found : { ...found, highlights }
}

/** No longer than it says something. */
function shortScore(score: number): number {
  return Number(score.toPrecision(6))
}

function optionsOf(given: Arguments): SearchOptions {
  const match = textOf(given, 'match')
  const known = matches.find(one => one === match)
  if (match !== undefined && known === undefined) throw new UsageError(`--match is any or all, not ${match}`)
  return {
    match: known,
    prefix: isGiven(given, 'prefix'),
    highlight: isGiven(given, 'highlight'),
    limit: countOf(given, 'limit', 1),
    cursor: textOf(given, 'after'),
    where: whereOf(textsOf(given, 'where')),
  }
}

function whereOf(words: readonly string[]): SearchFilter | undefined {
  if (words.length === 0) return undefined
  const where = new Map<string, SearchFilter[string]>()
  for (const word of words) {
    for (const [field, condition] of conditionsOf(word)) {
      if (where.has(field)) throw new UsageError(`--where names ${field} twice`)
      where.set(field, condition)
    }
  }
  // Own fields all of them, also one named `__proto__`, which is refused as any other that is no filter.
  return Object.fromEntries(where)
}

function conditionsOf(word: string): [field: string, condition: SearchFilter[string]][] {
  if (word.startsWith('{')) return Object.entries(parseJson(word, '--where') as SearchFilter)
  const at = word.indexOf('=')
  if (at > 0) return [[word.slice(0, at), lookupValue(word.slice(at + 1))]]
  throw new UsageError(`--where is FIELD=VALUE or an object of JSON, not ${word}`)
}

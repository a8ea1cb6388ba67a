/**
 * What a search found, as text for people: fragments of documents with their marks, on one line each.
 *
 * As all stored data the text is made visible first: it cannot move the cursor or colour the screen.
 */
import { styleText } from 'node:util'
import { SillokError } from '../base/errors.js'
import type { SearchConfig } from '../derived/search/config.js'
import { DocumentHighlights } from '../derived/search/document-highlights.js'
import type { Fragment } from '../derived/search/fragments.js'
import type { Store } from '../store/store.js'
import type { Sink } from './output.js'
import { visible } from './table.js'

/** Where a search is asked, and what. */
export interface AskedText {
  readonly collection: string
  readonly index: string
  readonly text: string
  readonly match?: 'any' | 'all' | undefined
  readonly prefix?: boolean | undefined
}

/** What the documents that answer have of the text. NOT_FOUND if the collection has no such index. */
export function highlightsOf(
  store: Store,
  { collection, index, text, ...how }: AskedText,
): DocumentHighlights {
  const config = store.definition(collection)?.indexes[index]
  if (config !== undefined) return new DocumentHighlights(config as unknown as SearchConfig, text, how)
  throw new SillokError('NOT_FOUND', `collection ${collection} has no index ${index}`)
}

/** Writes a line for each fragment of the document. */
export async function writeFragments(
  highlights: DocumentHighlights,
  document: Readonly<Record<string, unknown>>,
  out: Sink,
): Promise<void> {
  for (const [field, fragments] of highlights.of(document)) {
    for (const fragment of fragments) {
      await out.write(`  ${visible(field)}: ${markedText(fragment, out.isTerminal)}\n`)
    }
  }
}

/** The fragment on one line: marks are bold on a terminal, ‹so› elsewhere. */
export function markedText(fragment: Fragment, isTerminal: boolean): string {
  const shown = fragment.map(({ text, isMarked }) => {
    const plain = visible(text)
    if (!isMarked) return plain
    return isTerminal ? styleText(['bold', 'yellow'], plain) : `‹${plain}›`
  })
  return shown.join('')
}

/** What a state shows, compared with its model in every way that there is to read it. */
import { keyBytes, type Row, type RowKey } from '../../../src/codec/row.js'
import type { Scan } from '../../../src/state/scan.js'
import type { State } from '../../../src/state/state.js'
import { allKeys, type Model, rowText } from './model.js'

/** The names of what differs: none if the state is right. */
export async function differences(state: State, model: Model): Promise<string[]> {
  const expected = model.scanned({})
  const scanned = await scanTexts(state.scan({}))
  const read = [...(await readAll(state))].flatMap(([key, row]) => (row === null ? [] : [rowText(key, row)]))
  const replies: string[] = []
  for (const window of state.windows.all()) {
    for (const [at, key] of window.keys.entries()) replies.push(rowText(key, window.rows[at] as Row))
  }
  const known = new Set(allKeys())
  const differing: string[] = []
  const same = (left: readonly string[], right: readonly string[], what: string): void => {
    if (left.join() !== right.join()) differing.push(`${what}: ${left.length} for ${right.length}`)
  }
  same(scanned, expected, 'scan')
  const readable = [...model.rows].filter(([key]) => known.has(key)).map(([key, row]) => rowText(key, row))
  same(read.sort(), readable.sort(), 'lookups')
  same(replies.sort(), model.replies(), 'kept replies')
  if (state.digests().join() !== model.digests().join()) differing.push('digests')
  const { slots } = await state.scrub()
  if (slots.length > 0) differing.push(`scrub: slots ${slots.join()}`)
  return differing
}

/** Memory, then what was loaded. */
export async function readAll(
  state: State,
  keys: readonly RowKey[] = allKeys(),
): Promise<Map<RowKey, Row | null>> {
  const missing = keys.filter(key => state.lookup(key) === undefined)
  const loaded = missing.length % 3 === 0 ? state.loadSync(missing) : await state.load(missing)
  const found = new Map<RowKey, Row | null>()
  for (const key of keys) {
    const known = state.lookup(key)
    const row = known === undefined ? loaded.get(key) : known
    if (row === undefined) throw new Error(`nobody knows ${keyBytes(key).toString('hex')}`)
    found.set(key, row)
  }
  loaded.release()
  return found
}

export async function scanTexts(scan: Scan): Promise<string[]> {
  const texts: string[] = []
  for await (const page of scan) for (const [key, row] of page) texts.push(rowText(key, row))
  return texts
}

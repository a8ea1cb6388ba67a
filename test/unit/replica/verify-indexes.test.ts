/**
 * Verify and derived indexes: whatever differs from what the log's documents give is a fault that names key
 * and file, if all checksums are right too; what a crash or another release leaves is a note.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { encodeKey } from '../../../src/base/tuple.js'
import type { IndexType } from '../../../src/derived/contract.js'
import {
  type IndexPosition,
  markerKey,
  markKeys,
  readPosition,
  sealNumber,
  sealPosition,
} from '../../../src/derived/index-marks.js'
import { parkedKey, sealParked } from '../../../src/derived/parked.js'
import {
  noBytes,
  openValue,
  sealNote,
  sealValue,
  spaceKey,
  spaces,
} from '../../../src/derived/stored-value.js'
import type { KeyValueBatch } from '../../../src/env/key-value.js'
import { LevelKeyValueStores } from '../../../src/env/level-key-value.js'
import { realEnvironment } from '../../../src/env/real-environment.js'
import { open } from '../../../src/index.js'
import { type VerifyReport, verifyStore } from '../../../src/replica/verify.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { words } from '../store/own-index.js'

const root = t.testdir()
const sound = path.join(root, 'sound')
const folder = path.join(root, 'store')
const indexesFolder = 'partitions/1-1/indexes'
const rowsFolder = `${indexesFolder}/1/rows`
const types = new IndexTypes([words as IndexType]).byName
const definition = {
  key: 'id',
  indexes: {
    byTag: { type: 'secondary', fields: ['tags'], each: 'tags' },
    byWord: { type: 'words', field: 'text' },
  },
} as const

async function verify(indexTypes = types): Promise<VerifyReport> {
  const env = realEnvironment()
  try {
    return await verifyStore({ env, folder, scratch: path.join(root, 'scratch'), indexTypes })
  } finally {
    await env.disk.close()
  }
}

const parked = { since: 1, isGone: false, message: 'no' }

/** What a store holds, to be changed. */
interface Opened {
  readonly rows: Map<string, Buffer>
  readonly at: IndexPosition
  readonly batch: KeyValueBatch
}

/** Changes rows of the first index, with right checksums of LevelDB's. */
async function change(work: (opened: Opened) => void): Promise<void> {
  const store = await new LevelKeyValueStores().open(path.join(folder, rowsFolder), {
    writeBufferBytes: 1 << 20,
  })
  const iterator = store.iterate({})
  const rows = new Map<string, Buffer>()
  for (const [key, value] of await iterator.next(1_000_000)) rows.set(key.toString('latin1'), value)
  await iterator.close()
  const rest = openValue(markKeys.position, must(rows.get('!p'), 'a position'))
  const batch = store.batch()
  work({ rows, at: must(rest && readPosition(rest), 'a position'), batch })
  await batch.write({ sync: true })
  await store.close()
}

function keysOf({ rows }: Opened, space: string): Buffer[] {
  return [...rows.keys()].filter(key => key.startsWith(space)).map(key => Buffer.from(key, 'latin1'))
}

function firstKey(opened: Opened, space: string): Buffer {
  return must(keysOf(opened, space)[10], `rows of ${space}`)
}

t.before(async () => {
  const store = await open({ dir: sound, indexTypes: [words as IndexType] })
  await store.define('texts', definition)
  const texts = store.collection('texts')
  for (let id = 0; id < 300; id++) {
    const tags = Array.from({ length: id % 3 }, (_, n) => `t${(id + n) % 20}`)
    await texts.put({ id, tags, text: `all ${id % 7} ${id}` })
  }
  for (let id = 0; id < 300; id += 10) await texts.delete(id)
  for await (const _ of texts.find('byTag')) break
  for await (const _ of texts.query('byWord', {})) break
  await store.close()
})

t.beforeEach(() => {
  rmSync(folder, { recursive: true, force: true })
  cpSync(sound, folder, { recursive: true })
})

t.test('a sound store has no findings, with an index of the user that reads its own rows', async t => {
  const { faults, notes, counts } = await verify()
  t.strictSame([faults, notes], [[], []])
  t.ok(counts.rows > 300 * 3)
})

t.test('each difference from what the documents give is a fault with file and key', async t => {
  const gone = spaceKey(spaces.note, encodeKey(10))
  const cases: Record<string, (opened: Opened) => readonly [key: Buffer, what: RegExp]> = {
    'a row is missing': opened => {
      const key = firstKey(opened, 'r')
      opened.batch.delete(key)
      return [key, /the row is missing/]
    },
    'a row too many': ({ batch }) => {
      const key = Buffer.from('rzzz')
      batch.put(key, sealValue(key, Buffer.from('x')))
      return [key, /no such row/]
    },
    'another value': opened => {
      const key = firstKey(opened, 'r')
      opened.batch.put(key, sealValue(key, Buffer.from('x')))
      return [key, /another value/]
    },
    'a value under another key': opened => {
      const key = firstKey(opened, 'r')
      opened.batch.put(key, must([...opened.rows.values()].at(-1), 'a row'))
      return [key, /checksum/]
    },
    'a note is missing': opened => {
      const key = firstKey(opened, 'n')
      opened.batch.delete(key)
      return [key, /the note is missing/]
    },
    'a note of another version': opened => {
      const key = firstKey(opened, 'n')
      opened.batch.put(key, sealNote(key, { version: 1, isGone: false, note: undefined }))
      return [key, /another note/]
    },
    'a note of a deleted document': ({ batch }) => {
      batch.put(gone, sealNote(gone, { version: 5, isGone: false, note: undefined }))
      return [gone, /not there/]
    },
    'the end of a document that nobody clears away': ({ batch }) => {
      batch.put(gone, sealNote(gone, { version: 400, isGone: true, note: undefined }))
      return [gone, /not listed/]
    },
    'a parked document that is older than the log says': opened => {
      const key = parkedKey(firstKey(opened, 'n').subarray(1))
      opened.batch.put(key, sealParked(key, { ...parked, version: 1 }))
      return [key, /is parked, and \d+ is held/]
    },
    'a parked document that the log does not have': ({ batch }) => {
      const key = parkedKey(encodeKey(10_000))
      batch.put(key, sealParked(key, { ...parked, version: 7 }))
      return [key, /is parked with version 7, in the log it has 0/]
    },
    'a count of skipped documents that nobody knows of': ({ batch }) => {
      batch.put(markKeys.skipped, sealNumber(markKeys.skipped, 2))
      return [markKeys.skipped, /2 documents are said to be skipped, 0 are/]
    },
    'a position beyond the log': ({ at, batch }) => {
      batch.put(markKeys.position, sealPosition({ ...at, position: at.position + 100 }))
      return [markKeys.position, /log ends at/]
    },
    'a lost batch': ({ at, batch }) => {
      batch.delete(markerKey(at.batch))
      return [noBytes, /the marks end with/]
    },
  }
  for (const [name, plant] of Object.entries(cases)) {
    rmSync(folder, { recursive: true })
    cpSync(sound, folder, { recursive: true })
    let planted: readonly [key: Buffer, what: RegExp] | undefined
    await change(opened => {
      planted = plant(opened)
    })
    const [key, what] = must(planted, 'what was planted')
    const at = key.length === 0 ? '' : `key ${key.toString('hex')}`
    t.match((await verify()).faults, [{ file: rowsFolder, at, what }], name)
  }
})

t.test('rows that are ahead of their position are faults', async t => {
  await change(({ at, batch }) => {
    batch.put(markKeys.position, sealPosition({ ...at, position: at.position - 25 }))
  })
  const { faults } = await verify()
  t.ok(faults.length > 10)
  t.ok(faults.every(({ file }) => file === rowsFolder))
})

t.test('ends of documents that are listed to be cleared away are no fault', async t => {
  await change(({ batch }) => {
    const [gone, listed] = [spaces.note, spaces.gone].map(space => spaceKey(space, encodeKey(10)))
    if (gone === undefined || listed === undefined) return
    batch.put(gone, sealNote(gone, { version: 5, isGone: true, note: undefined }))
    batch.put(listed, sealValue(listed, noBytes))
  })
  t.strictSame((await verify()).faults, [])
})

t.test('an index that is being built may lack rows, but what it knows of the past is right', async t => {
  await change(opened => {
    const { at, batch } = opened
    for (const key of keysOf(opened, 'r')) batch.delete(key)
    for (const key of keysOf(opened, 'n').slice(100)) batch.delete(key)
    batch.put(markKeys.position, sealPosition({ ...at, build: { done: false, after: undefined } }))
  })
  const { faults, notes } = await verify()
  t.strictSame(faults, [])
  t.match(notes, [{ file: rowsFolder, what: /being built/ }])
  await change(opened => {
    const key = firstKey(opened, 'n')
    opened.batch.put(key, sealNote(key, { version: 1, isGone: false, note: undefined }))
  })
  t.match((await verify()).faults, [{ file: rowsFolder, what: /another note/ }])
})

t.test('what the next opening builds or removes by itself is a note, and it does', async t => {
  mkdirSync(path.join(folder, indexesFolder, '7'))
  rmSync(path.join(folder, indexesFolder, '1'), { recursive: true })
  writeFileSync(path.join(folder, indexesFolder, '2', 'CHECKPOINT.new'), 'x')
  const { faults, notes } = await verify()
  t.strictSame(faults, [])
  t.match(notes, [
    { file: `${indexesFolder}/1`, what: /will be built/ },
    { file: `${indexesFolder}/2/CHECKPOINT.new`, what: /not used/ },
    { file: `${indexesFolder}/7`, what: /goes at the next opening/ },
  ])
  const store = await open({ dir: folder, indexTypes: [words as IndexType] })
  for await (const _ of store.collection('texts').find('byTag')) break
  await store.close()
  t.match(await verify(), { faults: [], notes: [{ file: /CHECKPOINT.new$/ }] })
})

t.test('rows of another index are a fault; of another version or an unknown type, a note', async t => {
  const at = (name: string): string => path.join(folder, indexesFolder, name)
  renameSync(at('1'), at('3'))
  renameSync(at('2'), at('1'))
  renameSync(at('3'), at('2'))
  t.match((await verify()).faults, [
    { file: `${indexesFolder}/1/CHECKPOINT`, what: /was made for .*words/ },
    { file: `${indexesFolder}/2/CHECKPOINT`, what: /was made for .*secondary/ },
  ])
  renameSync(at('1'), at('3'))
  renameSync(at('2'), at('1'))
  renameSync(at('3'), at('2'))
  const newer = new IndexTypes([{ ...words, version: 2 } as IndexType]).byName
  const notes = [{ file: `${indexesFolder}/2/CHECKPOINT`, what: /will be built anew/ }]
  t.match(await verify(newer), { faults: [], notes })
  const without = await verify(new IndexTypes().byName)
  t.match(without, { faults: [], notes: [{ file: `${indexesFolder}/2/rows`, what: /type words/ }] })
  const failing = { ...words, open: (config: { field: string }) => ({ ...words.open(config), apply: fail }) }
  t.match(await verify(new IndexTypes([failing as IndexType]).byName), {
    faults: [],
    notes: [{ file: `${indexesFolder}/2/rows`, what: /the index fails: out of words/ }],
  })
})

t.test('with a damaged log each index is still checked by itself', async t => {
  const wal = path.join(
    folder,
    'wal',
    must(
      readdirSync(path.join(folder, 'wal')).find(name => name.startsWith('wal-')),
      'a file',
    ),
  )
  const bytes = readFileSync(wal)
  bytes.writeUInt8(bytes.readUInt8(4096 + 100) ^ 1, 4096 + 100)
  writeFileSync(wal, bytes)
  await change(opened => opened.batch.put(firstKey(opened, 'r'), Buffer.from('some bytes')))
  const { faults, notes } = await verify()
  t.match(faults, [{ file: /^wal/ }, { file: rowsFolder, what: /checksum/ }])
  t.ok(notes.some(({ file, what }) => file === `${indexesFolder}/2/rows` && /log has faults/.test(what)))
})

function fail(): never {
  throw new Error('out of words')
}

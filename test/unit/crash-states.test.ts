/** What a crash can leave by `src/FORMATS.md` opens; what none can leave is refused or put aside. */
import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadCrc32c, maskCrc32c } from '../../src/env/crc32c.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { verifyStore } from '../../src/replica/verify.js'
import { block, documentCount, type Folders, makeFolders, openStore } from '../docs/sample-folders.js'

const root = mkdtempSync(join(tmpdir(), 'sillok-states-'))
t.teardown(() => rm(root, { recursive: true, force: true }))
const folders = await makeFolders(root)

/** Changes the bytes of a file. */
function change(dir: string, name: string, edit: (bytes: Buffer) => Buffer): void {
  const path = join(dir, name)
  writeFileSync(path, edit(readFileSync(path)))
}

function segmentNames(dir: string): string[] {
  return readdirSync(join(dir, 'partitions/1-1/segments')).sort()
}

const segments = 'partitions/1-1/segments'
const wal1 = 'wal/wal-0000000000000001'
const wal2 = 'wal/wal-0000000000000002'

const crashes: Record<string, { from: keyof Folders; leave: (dir: string) => void; rebuilt?: true }> = {
  'nothing but a kill': { from: 'killed', leave: () => {} },
  'the header of the log lost': {
    from: 'killed',
    leave: dir => change(dir, wal1, bytes => bytes.fill(0, 0, block)),
  },
  'a spare file of the log cut short': {
    from: 'killed',
    leave: dir => change(dir, wal2, bytes => bytes.subarray(0, 100)),
  },
  'a new file with its opening torn': {
    from: 'killed',
    leave: dir => {
      const begun = readFileSync(join(folders.recovered, wal2))
      change(dir, wal2, bytes => Buffer.concat([begun.subarray(0, block + 512), bytes.subarray(block + 512)]))
    },
  },
  'an open segment that goes on': {
    from: 'closed',
    leave: dir => {
      const open = segmentNames(dir).at(-1) ?? ''
      change(dir, `${segments}/${open}`, bytes => Buffer.concat([bytes, Buffer.from('sillokSF')]))
    },
  },
  'no state': {
    from: 'closed',
    leave: dir => rmSync(join(dir, 'partitions/1-1/state'), { recursive: true }),
    rebuilt: true,
  },
  'the newest file of the log was begun and none is ready after it': {
    from: 'killed',
    leave: dir => rmSync(join(dir, wal2)),
  },
  'a lock that LevelDB refuses': {
    from: 'closed',
    leave: dir => change(dir, 'lock/CURRENT', () => Buffer.from('x')),
  },
}

t.test('what a crash can leave opens with every document', async t => {
  for (const [name, { from, leave, rebuilt }] of Object.entries(crashes)) {
    const dir = join(root, name)
    cpSync(folders[from], dir, { recursive: true })
    leave(dir)
    const reasons: string[] = []
    const { store, close } = await openStore(dir, reason => reasons.push(reason))
    t.equal(await store.collection('people').count(), documentCount, name)
    t.equal(reasons.length, rebuilt ? 1 : 0, `${name}: ${reasons.join()}`)
    await close()
  }
})

const damages: Record<string, { from: keyof Folders; leave: (dir: string) => void }> = {
  'a batch of the log before another': {
    from: 'closed',
    leave: dir =>
      change(dir, wal1, bytes => {
        bytes[3 * block + 60] = (bytes[3 * block + 60] ?? 0) ^ 1
        return bytes
      }),
  },
  'a sealed segment missing': {
    from: 'closed',
    leave: dir => rmSync(join(dir, segments, segmentNames(dir)[0] ?? '')),
  },
  'an open segment shorter than recorded': {
    from: 'closed',
    leave: dir => {
      const open = segmentNames(dir).at(-1) ?? ''
      change(dir, `${segments}/${open}`, bytes => bytes.subarray(0, bytes.length - 1))
    },
  },
  'a bit of IDENT': {
    from: 'closed',
    leave: dir => change(dir, 'IDENT', bytes => bytes.fill((bytes[25] ?? 0) ^ 1, 25, 26)),
  },
}

t.test('what no crash can leave is refused as damage', async t => {
  for (const [name, { from, leave }] of Object.entries(damages)) {
    const dir = join(root, name)
    cpSync(folders[from], dir, { recursive: true })
    leave(dir)
    await t.rejects(openStore(dir), { code: 'DAMAGED' }, name)
  }
})

/** Names of all files with hashes of their bytes, but those of the lock. */
function contentOf(dir: string): Map<string, string> {
  const names = readdirSync(dir, { recursive: true, withFileTypes: true })
  const paths = names.map(entry => [join(entry.parentPath, entry.name), entry.isFile()] as const)
  const own = paths.filter(([path]) => !path.startsWith(join(dir, 'lock')))
  return new Map(
    own.map(([path, isFile]) => [
      path,
      isFile ? createHash('sha256').update(readFileSync(path)).digest('hex') : '',
    ]),
  )
}

/** A store with one document and default limits: no segment is sealed. */
const small = { closed: join(root, 'small'), killed: join(root, 'small killed') }
const opened = await openStore(small.closed, () => {}, {})
await opened.store.define('people', { key: 'id' })
await opened.store.collection('people').put({ id: 1 })
cpSync(small.closed, small.killed, { recursive: true })
await opened.close()

interface Loss {
  readonly from: keyof Folders
  readonly leave: (dir: string) => void
  readonly missing: RegExp
}

const losses: Record<string, Loss> = {
  'the folder of the log': {
    from: 'closed',
    leave: dir => rmSync(join(dir, 'wal'), { recursive: true }),
    missing: /the log .*wal.* is missing/,
  },
  'all files of the log': {
    from: 'closed',
    leave: dir => {
      for (const name of readdirSync(join(dir, 'wal'))) rmSync(join(dir, 'wal', name))
    },
    missing: /the log .*wal.* is missing/,
  },
  'the log of a killed store': {
    from: 'killed',
    leave: dir => rmSync(join(dir, 'wal'), { recursive: true }),
    missing: /the log .*wal.* is missing/,
  },
  'all files of the log but the next one': {
    from: 'closed',
    leave: dir => rmSync(join(dir, wal1)),
    missing: /wal-0000000000000001|the log .*wal.* is missing/,
  },
  'a log in place of an older one': {
    from: 'closed',
    leave: dir => {
      rmSync(join(dir, wal1))
      renameSync(join(dir, wal2), join(dir, wal1))
    },
    missing: /the log .*wal.* is missing/,
  },
  'the newest file of the log': {
    from: 'recovered',
    leave: dir => rmSync(join(dir, wal2)),
    missing: /wal-0000000000000002/,
  },
}

async function refuses(t: Test, from: string, dir: string, loss: Loss): Promise<void> {
  cpSync(from, dir, { recursive: true })
  loss.leave(dir)
  const before = contentOf(dir)
  await t.rejects(openStore(dir), { code: 'DAMAGED', message: loss.missing }, dir)
  t.same(contentOf(dir), before, `${dir}: nothing is written`)
  const env = realEnvironment()
  const { faults } = await verifyStore({
    env,
    folder: dir,
    scratch: join(root, 'scratch'),
    indexTypes: new Map(),
  })
  await env.disk.close()
  const told = faults.map(({ file, what }) => `the log ${file} ${what}`)
  t.match(told.join(), loss.missing, 'verifying names it')
  t.same(contentOf(dir), before, `${dir}: verifying writes nothing`)
}

/** The first MANIFEST of a LevelDB folder: one edit, which names no log. */
async function firstManifest(): Promise<Buffer> {
  const comparator = Buffer.from('leveldb.BytewiseComparator')
  const edit = Buffer.concat([
    Buffer.from([1, comparator.length]),
    comparator,
    Buffer.from([2, 0, 3, 2, 4, 0]),
  ])
  const head = Buffer.alloc(7)
  const crc32c = await loadCrc32c()
  head.writeUInt32LE(maskCrc32c(crc32c(Buffer.concat([Buffer.from([1]), edit]))), 0)
  head.writeUInt16LE(edit.length, 4)
  head[6] = 1
  return Buffer.concat([head, edit])
}

async function faultsOf(dir: string): Promise<string[]> {
  const env = realEnvironment()
  const scratch = join(root, 'scratch')
  const { faults } = await verifyStore({ env, folder: dir, scratch, indexTypes: new Map() })
  await env.disk.close()
  return faults.map(({ file, what }) => `${file} ${what}`)
}

t.test(
  "a store of LevelDB's that a kill left while it was made is sound, until rows are in its log",
  async t => {
    for (const [log, faults] of [
      [undefined, []],
      ['', []],
      ['row', [/0-1\/state\/000000\.log is missing/]],
    ] as const) {
      const dir = join(root, `begun ${log}`)
      cpSync(small.killed, dir, { recursive: true })
      const state = join(dir, 'partitions/0-1/state')
      rmSync(state, { recursive: true })
      mkdirSync(state)
      writeFileSync(join(state, 'MANIFEST-000001'), await firstManifest())
      writeFileSync(join(state, 'CURRENT'), 'MANIFEST-000001\n')
      if (log !== undefined) writeFileSync(join(state, '000003.log'), log)
      const found = await faultsOf(dir)
      t.equal(found.length, faults.length, `a log of ${log}: ${found.join()}`)
      t.match(found, faults)
      const { store, close } = await openStore(dir)
      t.equal(await store.collection('people').count(), 1)
      await close()
      t.strictSame(await faultsOf(dir), [])
    }
  },
)

t.test('a store that lost its log is refused, by name, and nothing is written', async t => {
  for (const [name, loss] of Object.entries(losses)) {
    await refuses(t, folders[loss.from], join(root, name), loss)
    // What the small store has of its log is one file.
    const from = loss.from === 'recovered' ? undefined : small[loss.from]
    if (from !== undefined) await refuses(t, from, join(root, `small ${name}`), loss)
  }
})

t.test('the folder of a partition may be lost only while the log holds all its entries', async t => {
  const lost = join(root, 'lost')
  cpSync(folders.closed, lost, { recursive: true })
  rmSync(join(lost, 'partitions/1-1'), { recursive: true })
  await t.rejects(openStore(lost), { code: 'DAMAGED', message: /segment|entries/ })
  for (const gone of ['partitions', 'partitions/0-1', 'partitions/1-1', 'partitions/1-1/state']) {
    const dir = join(root, `without ${gone}`)
    cpSync(small.killed, dir, { recursive: true })
    rmSync(join(dir, gone), { recursive: true })
    const { store, close } = await openStore(dir, () => {}, {})
    t.equal(await store.collection('people').count(), 1, gone)
    await close()
  }
})

t.test('a state that is not to be trusted goes to quarantine', async t => {
  const dir = join(root, 'quarantine')
  cpSync(folders.closed, dir, { recursive: true })
  const state = 'partitions/1-1/state'
  const table = readdirSync(join(dir, state)).find(name => name.endsWith('.ldb')) ?? ''
  change(dir, `${state}/${table}`, bytes => bytes.fill(255, 100, 101))
  const { store, close } = await openStore(dir)
  t.equal(await store.collection('people').count(), documentCount)
  await close()
  t.ok(readdirSync(join(dir, 'partitions/1-1')).includes('state-quarantine-1'))
  t.ok(readdirSync(join(dir, 'partitions/1-1/state-quarantine-1')).includes(`${table}.damaged`))
})

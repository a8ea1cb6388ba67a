/** What a crash can leave by `src/FORMATS.md` opens; what none can leave is refused or put aside. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
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
  'a bit of IDENT': { from: 'closed', leave: dir => change(dir, 'IDENT', bytes => bytes.fill('9', 25, 26)) },
}

t.test('what no crash can leave is refused as damage', async t => {
  for (const [name, { from, leave }] of Object.entries(damages)) {
    const dir = join(root, name)
    cpSync(folders[from], dir, { recursive: true })
    leave(dir)
    await t.rejects(openStore(dir), { code: 'DAMAGED' }, name)
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

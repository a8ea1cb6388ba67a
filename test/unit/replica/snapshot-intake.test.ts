/** What comes with a snapshot is taken in whole and checked, or refused without a trace. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { decodeEntry, encodeEntry, sealEntry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import type { InstallSnapshot } from '../../../src/raft/messages.js'
import type { SnapshotPiece } from '../../../src/replica/snapshot-parcel.js'
import { seed } from '../../seed.js'
import { Parcel } from './parcel.js'

t.comment(`SEED=${seed}`)

t.test('all pieces in order make a snapshot that stands ready, and the end of the log with it', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    t.strictSame([...new Set(pieces.map(({ type }) => type))], ['cut', 'state', 'entries'])
    const { head, record, generation, cutTerm } = await parcel.takeAll(message, pieces)
    t.equal(record.index, message.snapshot.index)
    t.equal(generation, 1)
    t.equal(cutTerm, pieces[0]?.type === 'cut' ? pieces[0].term : undefined)
    t.ok(head.lastCut > 0 && head.lastCut < head.index)
    t.strictSame(await parcel.left(), ['1-2.1'])
    const own = parcel.opened.snapshots.files[0]
    t.ok(own?.sha256.equals(record.sha256))
  })
})

t.test('a log that was trimmed right up to the last cut is enough to send a snapshot', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const { head } = await parcel.takeAll(message, pieces)
    const { segments, snapshots } = parcel.opened
    await parcel.trim(head.lastCut)
    t.equal(segments.firstIndex, head.lastCut + 1)
    t.equal(segments.term(head.lastCut), undefined, 'the segments no longer know that entry')
    t.equal(snapshots.files[0]?.index, message.snapshot.index)
    let count = 0
    for await (const piece of parcel.pieces(message)) {
      t.strictSame(piece, pieces[count++])
    }
    t.equal(count, pieces.length)
  })
})

t.test('a group that changed so often that its older forms are forgotten makes a new snapshot', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async message => {
    const { replica, log } = parcel.opened
    await replica.changeGroup({ type: 'simple', steps: [{ type: 'addLearner', replica: 3 }] })
    t.strictSame(log.snapshot(), message.snapshot, 'at first it is sent with the group of its time')
    for (let n = 0; n < 20; n++) {
      for (const type of ['addLearner', 'remove'] as const)
        await replica.changeGroup({ type: 'simple', steps: [{ type, replica: 2 }] })
    }
    await new Promise<void>(resolve => parcel.clock.after(10_000, resolve))
    const { index = 0 } = log.snapshot() ?? {}
    t.ok(index > message.snapshot.index, `the snapshot of entry ${index} can be sent`)
  })
})

t.test(
  'a piece that is missing, doubled, elsewhere, changed or cut short is refused, and nothing stays',
  async t => {
    const parcel = new Parcel(seed)
    await parcel.run(async (message, pieces) => {
      const random = parcel.random.split('changes')
      const forms: (readonly [string, readonly SnapshotPiece[]])[] = [
        ['nothing', []],
        ['backwards', [...pieces].reverse()],
      ]
      for (const [place, piece] of pieces.entries()) {
        const [before, behind] = [pieces.slice(0, place), pieces.slice(place + 1)]
        const next = behind[0]
        forms.push([`without ${place}`, [...before, ...behind]])
        forms.push([`${place} twice`, [...before, piece, piece, ...behind]])
        if (next !== undefined) forms.push([`${place} later`, [...before, next, piece, ...behind.slice(1)]])
        if (piece.type === 'cut') {
          for (const term of [0, piece.term + 1000])
            forms.push([`term ${term}`, [...before, { ...piece, term }, ...behind]])
          continue
        }
        const { bytes } = piece
        for (let i = 0; i < 20; i++) {
          const changed = Buffer.from(bytes)
          const at = random.below(bytes.length)
          changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8))
          forms.push([`bit ${at} of ${place}`, [...before, { ...piece, bytes: changed }, ...behind]])
          const cut = bytes.subarray(0, random.below(bytes.length))
          forms.push([`${place} to ${cut.length}`, [...before, { ...piece, bytes: cut }, ...behind]])
        }
        forms.push([
          `more behind ${place}`,
          [...before, { ...piece, bytes: Buffer.concat([bytes, Buffer.of(0)]) }, ...behind],
        ])
      }
      for (const [name, form] of forms) {
        const failure = await parcel.takeAll(message, form).then(
          () => undefined,
          (error: unknown) => error,
        )
        if (!(failure instanceof SillokError)) t.fail(`${name}: ${String(failure)}`)
        t.strictSame(await parcel.left(), [], name)
      }
      await parcel.takeAll(message, pieces)
    })
  },
)

t.test('a snapshot that is another one than was announced is refused', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const { snapshot } = message
    const { configuration } = snapshot
    const others: Record<string, InstallSnapshot['snapshot']> = {
      index: { ...snapshot, index: snapshot.index + 1 },
      term: { ...snapshot, term: snapshot.term + 1 },
      group: { ...snapshot, configuration: { ...configuration, voters: [1, 2] } },
      'index of the group': { ...snapshot, configurationIndex: snapshot.configurationIndex + 1 },
    }
    for (const [name, other] of Object.entries(others)) {
      await t.rejects(parcel.takeAll({ ...message, snapshot: other }, pieces), { code: 'INVALID' }, name)
    }
    await t.rejects(parcel.takeAll(message, pieces, { partition: 2 }), { code: 'INVALID' })
    await t.rejects(parcel.takeAll(message, pieces, { clusterEpoch: 2 }), { code: 'INVALID' })
  })
})

t.test('entries of another partition, of a term that goes back or comes later are refused', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const at = pieces.findIndex(({ type }) => type === 'entries')
    const piece = must(pieces[at], 'entries')
    const bytes = piece.type === 'entries' ? piece.bytes : Buffer.alloc(0)
    const first = must(decodeEntry(bytes), 'an entry')
    const { index, term, kind } = first
    const heads = {
      partition: { partition: 2, index, term, kind },
      'a later term': { partition: 1, index, term: message.snapshot.term + 1, kind },
      'term 0': { partition: 1, index, term: 0, kind },
      'the index after': { partition: 1, index: index + 1, term, kind },
    }
    for (const [name, head] of Object.entries(heads)) {
      const copy = Buffer.from(bytes)
      sealEntry(copy.subarray(0, first.bytes.length), head)
      const form = pieces.map(
        (one, place): SnapshotPiece => (place === at ? { type: 'entries', bytes: copy } : one),
      )
      await t.rejects(parcel.takeAll(message, form), { code: 'INVALID' }, name)
      t.strictSame(await parcel.left(), [], name)
    }
  })
})

t.test('entries behind the one that the snapshot is of are refused', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const { index, term } = message.snapshot
    const { bytes } = encodeEntry({ partition: 1, index: index + 1, term, kind: 2 }, Buffer.alloc(6))
    await t.rejects(parcel.takeAll(message, [...pieces, { type: 'entries', bytes }]), { code: 'INVALID' })
    t.strictSame(await parcel.left(), [])
  })
})

t.test('what an earlier intake left is removed by the next one', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const left = await parcel.begin(message)
    for (const piece of pieces) await left.take(piece)
    parcel.machine.restart()
    t.strictSame(await parcel.left(), ['1-2.1'])
    const { record } = await parcel.takeAll(message, pieces)
    t.equal(record.index, message.snapshot.index)
  })
})

t.test('more entries than a segment holds are refused, and nothing stays', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    await t.rejects(parcel.takeAll(message, pieces, { cutBytes: 300 }), { code: 'INVALID', message: /a cut/ })
    t.strictSame(await parcel.left(), [])
  })
})

t.test('a full disk refuses entries at once, and does not let anybody wait for space', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const intake = await parcel.begin(message, { cutBytes: 64 * 1024 * 1024 })
    for (const piece of pieces) if (piece.type !== 'entries') await intake.take(piece)
    const { lastCut } = (await parcel.takeAll(message, pieces, { generation: 2 })).head
    parcel.machine.disk.setFull(true)
    const all = async (): Promise<void> => {
      for (let index = lastCut + 1; index < lastCut + 10; index++) {
        const head = { partition: 1, index, term: message.snapshot.term, kind: 2 }
        await intake.take({ type: 'entries', bytes: encodeEntry(head, Buffer.alloc(1024 * 1024)).bytes })
      }
    }
    const late = new Promise((_, reject) => parcel.clock.after(100_000, () => reject(new Error('it waits'))))
    await t.rejects(Promise.race([all(), late]), { code: 'DISK_FULL' })
    await intake.abandon()
    t.strictSame(await parcel.left(), ['1-2.2'])
  })
})

t.test('a snapshot file that was cut short cannot be sent, and says so', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async message => {
    for (const length of [0, 7, 30, 100]) {
      parcel.cutFile(length)
      await t.rejects(parcel.pieces(message).next(), { code: 'DAMAGED' }, `${length} bytes`)
    }
  })
})

t.test('what cannot be made durable on a full disk is given up, and nothing stays', async t => {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const { disk } = parcel.machine
    const intake = await parcel.begin(message)
    for (const piece of pieces) await intake.take(piece)
    disk.setFull(true)
    await t.rejects(intake.finish(), { code: 'DISK_FULL' })
    await intake.abandon()
    t.strictSame(await parcel.left(), [])
  })
})

/** A log over a simulated disk, with a record of marks that dies with the process like a write-ahead log. */
import { type Entry, encodeEntry } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import type { Mark, RecordedMarks } from '../../../src/segments/marks.js'
import { SegmentLog, type SegmentLogOptions } from '../../../src/segments/segment-log.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk } from '../../../src/sim/sim-disk.js'

const { SEED } = process.env
export const seed = SEED ?? '1'
export const folder = 'node/segments/3'
export const partition = 3

/** Entries 1 to count, of several terms, with bodies up to that long. */
export function makeEntries(count: number, bodyMax: number, random = new Random(`${seed}/entries`)): Entry[] {
  let term = 1
  return Array.from({ length: count }, (_, i) => {
    if (random.chance(0.1)) term += 1 + random.below(3)
    const body = random.bytes(random.below(bodyMax + 1))
    return encodeEntry({ partition, index: i + 1, term, kind: 2 }, body)
  })
}

/** What outlives a process: the marks that were durable when it died. */
export interface Record {
  marks: RecordedMarks
}

type Overrides = Partial<SegmentLogOptions>

/**
 * Opens the log as the record says; marks take two operations of the disk, so a crash comes before and after.
 */
export function openLog(disk: SimDisk, record: Record, overrides: Overrides = {}): Promise<SegmentLog> {
  return SegmentLog.open({
    disk,
    clock: new SimClock(),
    folder,
    partition,
    clusterEpoch: 1,
    cutBytes: 2000,
    recorded: record.marks,
    writeBytes: 300,
    syncBytes: 900,
    record: async mark => {
      await disk.sizeOf('wal')
      record.marks = { ...record.marks, [mark.kind]: withoutKind(mark) }
      await disk.sizeOf('wal')
    },
    ...overrides,
  })
}

function withoutKind({ kind: _, ...mark }: Mark): RecordedMarks['synced'] | RecordedMarks['sealed'] {
  return mark
}

export function makeDisk(name: string, clock = new SimClock()): SimDisk {
  return new SimDisk({ clock, random: new Random(`${seed}/${name}`), latency: 'none' })
}

/** Appends in pieces of random length, with syncs and turns of the loop between. */
export async function feed(log: SegmentLog, entries: readonly Entry[], random: Random): Promise<void> {
  for (let at = 0; at < entries.length; ) {
    const count = 1 + random.below(9)
    log.append(entries.slice(at, at + count))
    at += count
    if (random.chance(0.15)) await log.sync()
    else if (random.chance(0.5)) await new Promise(resolve => setImmediate(resolve))
  }
  await log.sync()
}

/** The bytes of all sealed files, by name. */
export async function sealedFiles(disk: SimDisk): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const name of await disk.list(folder)) {
    if (!name.startsWith('open-')) files.set(name, disk.bytesOf(`${folder}/${name}`))
  }
  return files
}

/** Everything that the log returns. */
export async function readAll(log: SegmentLog, from = 1): Promise<Entry[]> {
  const all: Entry[] = []
  for await (const entry of log.entries(from)) all.push(entry)
  return all
}

/** Whether two lists hold the same encoded entries. */
export function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a.every((entry, i) => b[i]?.bytes.equals(entry.bytes) === true)
}

/** Whether two sets of files are the same, byte for byte. */
export function sameFiles(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes) === true)
}

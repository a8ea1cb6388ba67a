/**
 * Reads all segments of a partition that nobody has open and says what is wrong with them; writes nothing,
 * not even what opening would put right.
 *
 * Every byte of a sealed segment is covered: header, each entry, the footer, the SHA-256 over all of it. Of
 * the open one the bytes that the write-ahead log recorded as synced; nothing uses what follows them.
 */
import type { Entry } from '../base/entry.js'
import { atByte, Findings } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import type { RecordedMarks, SealedMark, SyncedMark } from './marks.js'
import {
  chunkBytes,
  loadSealed,
  openSealed,
  readEntries,
  type SealedSegment,
  sealedFindings,
  sealedPath,
} from './sealed-segment.js'
import { readContent, type SegmentContent } from './segment-content.js'
import {
  checkHeader,
  decodeHeader,
  headerBytes,
  openName,
  parseName,
  type SegmentHeader,
  sealedName,
} from './segment-header.js'

/** Which segments are checked, and against what. */
export interface SegmentCheck {
  readonly disk: Disk
  readonly folder: string
  readonly partition: number
  readonly clusterEpoch: number
  /** What the write-ahead log recorded; undefined when it cannot be read. */
  readonly marks: RecordedMarks | undefined
  /** The store was closed cleanly: there is nothing that a crash left. */
  readonly clean: boolean
}

/** Segments without a fault. */
export interface CheckedSegments {
  /** The first entry of the log. */
  readonly firstIndex: LogIndex
  readonly sealed: readonly SealedSegment[]
  readonly open: SegmentContent | undefined
  /** The last entry that they hold durably, 0 if there is none. */
  readonly lastIndex: LogIndex
}

/** Checks the folder. Undefined when faults were found in it. */
export async function checkSegments(
  check: SegmentCheck,
  findings: Findings,
): Promise<CheckedSegments | undefined> {
  const { disk, folder, marks } = check
  const before = findings.faultCount
  const names = await disk.list(folder)
  for (const name of names) {
    if (parseName(name) === undefined) findings.note(joinPath(folder, name), '', 'is no segment')
  }
  const found = names.map(parseName).filter(name => name !== undefined)
  const sealed: SealedSegment[] = []
  const truncated = marks?.truncated ?? 0
  let next: LogIndex = marks === undefined ? (firstFound(found) ?? 1) : truncated + 1
  for (const { firstIndex, lastIndex } of found) {
    if (lastIndex === undefined) continue
    const range = { firstIndex, lastIndex }
    const path = sealedPath(folder, range)
    if (lastIndex <= truncated) {
      findings.note(path, '', 'was given up when the log was trimmed; it goes at the next opening')
      continue
    }
    if (firstIndex > next) {
      findings.fault(joinPath(folder, sealedName(next, firstIndex - 1)), '', 'is missing')
    } else if (firstIndex < next) findings.fault(path, '', `holds entries again: ${next} should come next`)
    const segment = await checkSealed(check, range, findings)
    if (segment !== undefined) {
      sealed.push(segment)
      next = lastIndex + 1
    } else if (isRecorded(check, range)) next = lastIndex + 1
  }
  if (marks?.sealed) checkMark(folder, sealed, marks.sealed, findings)
  const open = await checkOpen(check, names, next, findings)
  if (findings.faultCount > before) return undefined
  return { firstIndex: truncated + 1, sealed, open, lastIndex: open?.lastIndex ?? next - 1 }
}

/** Where the log begins, if nothing but its files can tell. */
function firstFound(found: readonly { firstIndex: LogIndex; lastIndex?: LogIndex }[]): LogIndex | undefined {
  const sealed = found.filter(({ lastIndex }) => lastIndex !== undefined)
  return sealed.length === 0 ? undefined : Math.min(...sealed.map(({ firstIndex }) => firstIndex))
}

/** All entries of the segments, in order, in pieces. */
export async function* readSegments(
  disk: Disk,
  folder: string,
  { sealed, open }: CheckedSegments,
): AsyncIterableIterator<Entry[]> {
  for (const segment of sealed) {
    const handle = await loadSealed(disk, folder, segment)
    try {
      const { firstIndex, lastIndex, header } = segment
      const path = sealedPath(folder, segment)
      for (let from = firstIndex; from <= lastIndex; ) {
        const last = Math.max(from, handle.offsets.lastWithin(from, lastIndex, chunkBytes))
        yield await readEntries(path, handle, header, from, last)
        from = last + 1
      }
    } finally {
      await handle.file.close()
    }
  }
  if (open === undefined) return
  const path = joinPath(folder, openName(open.firstIndex))
  const handle = { file: await disk.open(path), offsets: open.offsets }
  try {
    for (let from = open.firstIndex; from <= open.lastIndex; ) {
      const last = Math.max(from, open.offsets.lastWithin(from, open.lastIndex, chunkBytes))
      yield await readEntries(path, handle, open.header, from, last)
      from = last + 1
    }
  } finally {
    await handle.file.close()
  }
}

interface Range {
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
}

/** True if the log says that it is sealed; if the log cannot be read, its name is believed. */
function isRecorded({ marks, clean }: SegmentCheck, range: Range): boolean {
  return clean || marks === undefined || range.lastIndex <= (marks.sealed?.lastIndex ?? 0)
}

/** The segment if nothing is wrong with it. One that no mark names may be a seal that was cut short. */
async function checkSealed(
  check: SegmentCheck,
  range: Range,
  findings: Findings,
): Promise<SealedSegment | undefined> {
  const { disk, folder, partition, clusterEpoch } = check
  const path = sealedPath(folder, range)
  if (!isRecorded(check, range)) {
    const own = new Findings()
    const whole = await checkSealed({ ...check, clean: true }, range, own)
    if (whole === undefined) findings.note(path, '', 'a seal was cut short: the entries are in the log')
    else findings.add(own)
    return whole
  }
  const before = findings.faultCount
  const segment = await findings.attempt(path, async () => {
    findings.read((await disk.sizeOf(path)) ?? 0)
    return await openSealed(disk, path, range, { partition, clusterEpoch, firstIndex: range.firstIndex })
  })
  if (segment === undefined) return undefined
  findings.counts.entries += range.lastIndex - range.firstIndex + 1
  await findings.attempt(path, async () => {
    for (const { file, at, what } of await sealedFindings(disk, folder, segment))
      findings.fault(file, at, what)
  })
  return findings.faultCount > before ? undefined : segment
}

function checkMark(
  folder: string,
  sealed: readonly SealedSegment[],
  mark: SealedMark,
  findings: Findings,
): void {
  const path = sealedPath(folder, mark)
  const segment = sealed.find(one => one.lastIndex === mark.lastIndex)
  if (segment === undefined || segment.firstIndex !== mark.firstIndex) {
    findings.fault(path, '', 'was recorded as sealed and is not there whole')
  } else if (!segment.sha256.equals(mark.sha256)) {
    findings.fault(path, atByte(0), 'another content was recorded when it was sealed')
  }
}

/** The open segment up to its mark. */
async function checkOpen(
  check: SegmentCheck,
  names: readonly string[],
  next: LogIndex,
  findings: Findings,
): Promise<SegmentContent | undefined> {
  const { disk, folder, marks, partition, clusterEpoch } = check
  for (const name of names) {
    const parsed = parseName(name)
    if (parsed === undefined || parsed.lastIndex !== undefined || parsed.firstIndex === next) continue
    findings.fault(joinPath(folder, name), '', `is an open segment, and the next entry is ${next}`)
  }
  const path = joinPath(folder, openName(next))
  const size = await disk.sizeOf(path)
  const synced = marks?.synced
  if (marks === undefined || synced === undefined || synced.firstIndex < next) {
    if (size !== undefined) findings.note(path, '', 'not compared: the log records nothing of it')
    return undefined
  }
  if (synced.firstIndex !== next) {
    const expected = joinPath(folder, openName(synced.firstIndex))
    findings.fault(expected, '', `was recorded as the open segment, and the next entry is ${next}`)
    return undefined
  }
  if (size === undefined) {
    findings.fault(path, '', `is missing: entries up to ${synced.lastIndex} were recorded as synced`)
    return undefined
  }
  findings.read(size)
  if (size > synced.length)
    findings.note(
      path,
      atByte(synced.length),
      `${size - synced.length} bytes that were not recorded as synced`,
    )
  return await findings.attempt(path, () =>
    readSynced(disk, path, { partition, clusterEpoch, firstIndex: next }, { synced, size, findings }),
  )
}

async function readSynced(
  disk: Disk,
  path: string,
  header: SegmentHeader,
  at: { readonly synced: SyncedMark; readonly size: number; readonly findings: Findings },
): Promise<SegmentContent | undefined> {
  const { synced, size, findings } = at
  if (size < synced.length) {
    findings.fault(path, atByte(size), `ends here; ${synced.length} bytes were recorded as synced`)
    return undefined
  }
  const file = await disk.open(path)
  try {
    // The epoch is the file's own: whose store this is may not be known, since IDENT is damaged.
    const own = decodeHeader(path, await file.read(0, headerBytes))
    checkHeader(path, own, header)
    const content = await readContent(path, file, own, synced.length)
    findings.counts.entries += content.lastIndex - content.firstIndex + 1
    if (content.crc === synced.crc && content.lastIndex === synced.lastIndex) return content
    findings.fault(path, atByte(0), `another content was recorded up to entry ${synced.lastIndex}`)
    return undefined
  } finally {
    await file.close()
  }
}

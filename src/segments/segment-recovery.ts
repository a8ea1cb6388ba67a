/**
 * Brings what an opening finds in a partition's folder to what the write-ahead log remembers.
 *
 * What a crash can leave, and what becomes of it:
 * - an open segment longer than its mark: cut to the mark; the rest is refilled from the write-ahead log;
 * - an open segment without a mark: left as it is, overwritten when it is refilled;
 * - one sealed segment after the recorded ones: kept if all of it validates, otherwise named open again and
 *   treated like the two above;
 * - the newest recorded seal still under its open name (only after a sync of the folder that lied): renamed;
 * - segments that were given up (all of their entries are at or below the recorded truncation): removed,
 *   unread. Anything else is damage: bytes that a mark names are missing or wrong, ranges do not join, files
 *   that no crash can explain. Nothing else is removed here.
 */
import { assert } from '../base/assert.js'
import { isSillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { type Disk, type DiskFile, joinPath } from '../env/disk.js'
import type { RecordedMarks, SealedMark, SyncedMark } from './marks.js'
import { openSealed, prefixCrc, type SealedSegment, sealedFindings, sealedPath } from './sealed-segment.js'
import { readContent, type SegmentContent } from './segment-content.js'
import { readFooter } from './segment-footer.js'
import { damaged, openName, parseName, type SegmentHeader } from './segment-header.js'

/** The open segment: its account, and its file. */
export interface OpenSegment {
  readonly content: SegmentContent
  readonly file: DiskFile
}

/** What was found. */
export interface Recovered {
  readonly sealed: SealedSegment[]
  /** True if the newest sealed segment still has to be recorded. */
  readonly unrecorded: boolean
  readonly open: OpenSegment | undefined
  /** The entry before the log's first one. */
  readonly truncated: LogIndex
}

interface Range {
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
}

/** Where the search happens, and what headers must say. */
interface Place {
  readonly disk: Disk
  readonly folder: string
  /** The last entry that was given up, 0 if none was. */
  readonly truncated: LogIndex
  readonly header: SegmentHeader
}

/** Reads the folder, which is made if missing. Throws DAMAGED naming file and offset. */
export async function recoverSegments(
  disk: Disk,
  folder: string,
  identity: Omit<SegmentHeader, 'firstIndex'>,
  marks: RecordedMarks,
): Promise<Recovered> {
  const truncated = marks.truncated ?? 0
  const place: Place = { disk, folder, truncated, header: { ...identity, firstIndex: 1 } }
  await disk.makeFolder(folder)
  if (marks.sealed) await finishSeal(place, marks.sealed)
  const found = (await disk.list(folder)).map(parseName).filter(name => name !== undefined)
  const ranges: Range[] = []
  for (const { firstIndex, lastIndex } of found) {
    if (lastIndex === undefined) continue
    const range = { firstIndex, lastIndex }
    if (lastIndex > truncated) ranges.push(range)
    else await disk.remove(sealedPath(folder, range))
  }
  const recordedLast = marks.sealed?.lastIndex ?? 0
  const recorded = ranges.filter(range => range.firstIndex <= recordedLast)
  const beyond = ranges.filter(range => range.firstIndex > recordedLast)
  const sealed = await recoverSealed(place, recorded, marks.sealed)
  const synced = validMark(marks)
  const unrecorded = await recoverBeyond(place, sealed, beyond, synced)
  const next = (sealed.at(-1)?.lastIndex ?? truncated) + 1
  for (const { firstIndex, lastIndex } of found) {
    if (lastIndex === undefined && firstIndex !== next) {
      throw damaged(joinPath(folder, openName(firstIndex)), 0, `the open segment begins at ${next}`)
    }
  }
  const open = synced && !unrecorded ? await recoverOpen(place, next, synced) : undefined
  return { sealed, unrecorded, open, truncated }
}

/** The synced mark, unless the segment that it speaks of was recorded as sealed since. */
function validMark({ synced, sealed }: RecordedMarks): SyncedMark | undefined {
  if (synced === undefined || sealed === undefined) return synced
  if (synced.firstIndex > sealed.lastIndex) return synced
  assert(
    synced.lastIndex <= sealed.lastIndex,
    () => `synced up to ${synced.lastIndex} in a segment sealed at ${sealed.lastIndex}`,
  )
  return undefined
}

/** The recorded seal is under its sealed name, if its file is there at all. */
async function finishSeal({ disk, folder }: Place, mark: SealedMark): Promise<void> {
  const path = sealedPath(folder, mark)
  const openPath = joinPath(folder, openName(mark.firstIndex))
  if ((await disk.sizeOf(path)) !== undefined || (await disk.sizeOf(openPath)) === undefined) return
  const file = await disk.open(openPath)
  try {
    const footer = await readFooter(openPath, file)
    if (!footer.sha256.equals(mark.sha256)) return
  } finally {
    await file.close()
  }
  await disk.rename(openPath, path)
  await disk.syncFolder(folder)
}

/** The files that the record names: without a gap from the log's first entry to its last one. */
async function recoverSealed(
  place: Place,
  ranges: readonly Range[],
  mark: SealedMark | undefined,
): Promise<SealedSegment[]> {
  const sealed: SealedSegment[] = []
  for (const range of ranges) sealed.push(await openNext(place, sealed.at(-1), range))
  if (mark === undefined) return sealed
  const path = sealedPath(place.folder, mark)
  const newest = sealed.at(-1)
  if (newest?.firstIndex !== mark.firstIndex || newest.lastIndex !== mark.lastIndex) {
    throw damaged(path, 0, 'the segment was recorded as sealed and is missing')
  }
  if (!newest.sha256.equals(mark.sha256)) throw damaged(path, newest.bytes, 'another content was recorded')
  return sealed
}

async function openNext(
  place: Place,
  before: SealedSegment | undefined,
  range: Range,
): Promise<SealedSegment> {
  const { disk, folder, header, truncated } = place
  const path = sealedPath(folder, range)
  const next = (before?.lastIndex ?? truncated) + 1
  if (range.firstIndex !== next) {
    throw damaged(path, 0, `the sealed segments do not join: entry ${next} should come next`)
  }
  const segment = await openSealed(disk, path, range, header)
  if (before && segment.header.clusterEpoch < before.header.clusterEpoch) {
    throw damaged(path, 16, `the cluster epoch goes back to ${segment.header.clusterEpoch}`)
  }
  return segment
}

/** A seal that the record does not know: added to `sealed` (true), or undone. */
async function recoverBeyond(
  place: Place,
  sealed: SealedSegment[],
  beyond: readonly Range[],
  synced: SyncedMark | undefined,
): Promise<boolean> {
  const { disk, folder } = place
  const [range, second] = beyond
  if (range === undefined) return false
  if (second !== undefined) {
    throw damaged(sealedPath(folder, second), 0, 'more than one segment was sealed without being recorded')
  }
  const segment = await wholeSegment(place, sealed.at(-1), range)
  const path = sealedPath(folder, range)
  if (segment === undefined) {
    await disk.rename(path, joinPath(folder, openName(range.firstIndex)))
    await disk.syncFolder(folder)
    return false
  }
  const crc = synced && (await prefixCrc(disk, path, synced.length))
  if (synced && synced.crc !== crc) {
    throw damaged(path, 0, `another content was recorded up to entry ${synced.lastIndex}`)
  }
  // Renamed after its sync: the bytes are durable, the name may not be.
  await disk.syncFolder(folder)
  sealed.push(segment)
  return true
}

/** The segment if everything in its file validates. */
async function wholeSegment(
  place: Place,
  before: SealedSegment | undefined,
  range: Range,
): Promise<SealedSegment | undefined> {
  const last = before?.lastIndex ?? place.truncated
  assert(range.firstIndex > last, () => `a segment from ${range.firstIndex} twice`)
  const joins = range.firstIndex === last + 1
  if (!joins) throw damaged(sealedPath(place.folder, range), 0, 'the sealed segments do not join')
  try {
    const segment = await openNext(place, before, range)
    const findings = await sealedFindings(place.disk, place.folder, segment)
    return findings.length === 0 ? segment : undefined
  } catch (error) {
    if (isSillokError(error, 'DAMAGED')) return undefined
    throw error
  }
}

/** The open segment, cut to its mark. */
async function recoverOpen(place: Place, next: LogIndex, mark: SyncedMark): Promise<OpenSegment> {
  const { disk, folder } = place
  const path = joinPath(folder, openName(next))
  if (mark.firstIndex !== next) {
    throw damaged(path, 0, `the segment from ${mark.firstIndex} was recorded as the open one`)
  }
  const size = await disk.sizeOf(path)
  if (size === undefined) throw damaged(path, 0, `entries up to ${mark.lastIndex} were recorded as synced`)
  if (size < mark.length) throw damaged(path, size, `${mark.length} bytes were recorded as synced`)
  const file = await disk.open(path)
  try {
    const content = await readContent(path, file, { ...place.header, firstIndex: next }, mark.length)
    if (content.crc !== mark.crc || content.lastIndex !== mark.lastIndex) {
      throw damaged(path, 0, `another content was recorded up to entry ${mark.lastIndex}`)
    }
    if (size > mark.length) await file.truncate(mark.length)
    return { content, file }
  } catch (error) {
    await file.close()
    throw error
  }
}

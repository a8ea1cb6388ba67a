/** Many files' worth of writes to one partition while meta is idle: the ring of log files must not fill. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { Store } from '../../src/store/store.js'
import type { WalStatus } from '../../src/wal/wal.js'
import { isWalFileName } from '../../src/wal/wal-file.js'

export interface RingReport {
  /** Log files that were begun. */
  files: number
  writes: number
  /** Looks at the store that found the ring full. */
  ringFull: number
  filesOnDiskMax: number
  slowestMs: number
  seconds: number
}

const inFlight = 48

/** Writes that many files of that length full, opens the store again and compares. Throws what is wrong. */
export async function fillRing(files: number, fileBytes: number, documentBytes: number): Promise<RingReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-ring-'))
  const limits = { walFileBytesEmbedded: fileBytes } as unknown as Partial<Limits>
  const report: RingReport = { files: 0, writes: 0, ringFull: 0, filesOnDiskMax: 0, slowestMs: 0, seconds: 0 }
  const beganMs = performance.now()
  const names = (): string[] => readdirSync(path.join(folder, 'wal')).filter(isWalFileName).sort()
  const current = (): number => Number.parseInt(names().at(-1)?.slice(4) ?? '0', 16)
  const value = 'x'.repeat(documentBytes)
  let store = await Store.open(realEnvironment(), folder, {}, limits)
  await store.define('items', { key: 'id' })
  const session = await store.session({ name: 'idle' })
  const first = current()
  const write = async (): Promise<void> => {
    while (report.files < files) {
      const id = report.writes++
      const sentMs = performance.now()
      await store.collection<object>('items').put({ id: id % 1000, write: id, value })
      report.slowestMs = Math.max(report.slowestMs, performance.now() - sentMs)
      if (id % 64 !== 0) continue
      if ((store.status().wal as WalStatus).ringFull) report.ringFull += 1
      report.filesOnDiskMax = Math.max(report.filesOnDiskMax, names().length)
      report.files = current() - first
    }
  }
  await Promise.all(Array.from({ length: inFlight }, write))
  await store.close()
  store = await Store.open(realEnvironment(), folder, {}, limits)
  const resumed = await store.session({ name: 'idle' })
  if (resumed.id !== session.id) throw new Error('meta forgot a session')
  const count = await store.collection('items').count()
  if (count !== Math.min(1000, report.writes))
    throw new Error(`${count} documents after ${report.writes} writes`)
  const slots = await store.scrub()
  if (slots.length > 0) throw new Error(`digests of slots ${slots.join(', ')} do not fit`)
  await store.close()
  rmSync(folder, { recursive: true })
  report.seconds = (performance.now() - beganMs) / 1000
  return report
}

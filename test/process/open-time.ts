/** How long a store takes to open after its process was killed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Random } from '../../src/base/random.js'
import { open } from '../../src/index.js'
import type { FillOptions } from './fill-program.js'
import { live } from './life.js'

export interface OpenReport {
  entries: number
  /** Opening times after each kill. */
  openMs: number[]
  /** Entries since the last checkpoint: what was replayed. */
  replayed: number[]
  fillSeconds: number
}

/** Fills a store, kills it, opens it; then again after some more entries, `kills` times in all. */
export async function measureOpen(seed: string, entries: number, kills: number): Promise<OpenReport> {
  const random = new Random(seed)
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-open-'))
  const report: OpenReport = { entries: 0, openMs: [], replayed: [], fillSeconds: 0 }
  for (let kill = 0; kill < kills; kill++) {
    const count = kill === 0 ? entries : 1 + random.below(150_000)
    const options: FillOptions = { folder, from: report.entries, count }
    const beganMs = performance.now()
    await live('fill-program', JSON.stringify(options), { after: 'closing', delayMs: 20 }, () => {})
    if (kill === 0) report.fillSeconds = (performance.now() - beganMs) / 1000
    const openingMs = performance.now()
    const store = await open({ dir: folder })
    report.openMs.push(Math.round(performance.now() - openingMs))
    const data = store.status().partitions.find(({ partition }) => partition === 1)
    report.replayed.push((data?.applied ?? 0) - (data?.checkpoint ?? 0))
    const found = await store.collection('items').count()
    if (found < report.entries + count) {
      throw new Error(`seed ${seed}: ${found} documents, ${report.entries + count} were acknowledged`)
    }
    report.entries = found
    await store.close()
  }
  rmSync(folder, { recursive: true })
  return report
}

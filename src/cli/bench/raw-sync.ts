/**
 * The yardstick: 4 KiB written and fdatasynced by bare synchronous calls, over and over, through a file whose
 * blocks are there already, as those of the write-ahead log are. No store can be durable in less.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { Clock } from '../../env/clock.js'
import type { LoadResult } from './closed-loop.js'
import { Latencies } from './latencies.js'

const blockBytes = 4096
const fileBytes = 8 * 1024 * 1024

/** Measures in that folder for about that long. */
export function runRawSync(folder: string, clock: Clock, durationMs: number, warmUpMs: number): LoadResult {
  const name = path.join(folder, 'raw-sync')
  const file = openSync(name, 'w+')
  const latencies = new Latencies()
  try {
    writeSync(file, Buffer.alloc(fileBytes, 1), 0, fileBytes, 0)
    fsyncSync(file)
    const block = Buffer.alloc(blockBytes, 2)
    const fromMs = clock.monotonicMs() + warmUpMs
    let startMs = clock.monotonicMs()
    for (let at = 0; startMs < fromMs + durationMs; at = (at + blockBytes) % fileBytes) {
      writeSync(file, block, 0, blockBytes, at)
      fdatasyncSync(file)
      const endMs = clock.monotonicMs()
      if (startMs >= fromMs) latencies.add(endMs - startMs)
      startMs = endMs
    }
  } finally {
    closeSync(file)
    rmSync(name, { force: true })
  }
  return {
    opsPerSecond: Math.round((latencies.count * 1000) / durationMs),
    p50Ms: latencies.percentile(0.5),
    p99Ms: latencies.percentile(0.99),
    errors: {},
  }
}

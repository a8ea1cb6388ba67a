/** Rows of a real LevelDB as they are stored, for tests that read bytes. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import type { Test } from 'tap'

/** All rows of a partition's LevelDB, keys as latin1 text; read from a copy. */
export async function rowsOf(
  t: Test,
  dir: string,
  partition: string,
  of = 'state',
): Promise<Map<string, Buffer>> {
  const copy = join(t.testdir(), 'state')
  cpSync(join(dir, 'partitions', partition, of), copy, { recursive: true })
  const level = new Level<Buffer, Buffer>(copy, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const rows = new Map<string, Buffer>()
  for await (const [key, value] of level.iterator()) rows.set(key.toString('latin1'), value)
  await level.close()
  return rows
}

/** Four bytes of a key, as latin1 text. */
export function u32be(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

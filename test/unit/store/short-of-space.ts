/** A disk of which one part is full: the rest goes on. */
import type { Disk, DiskFile } from '../../../src/env/disk.js'
import { SillokError } from '../../../src/index.js'

/** The disk, but files whose path contains `part` find no space while it `isFull`. */
export function shortOfSpace(disk: Disk, part: string, isFull: () => boolean): Disk {
  const open = async (path: string, options?: { readonly create?: boolean }): Promise<DiskFile> => {
    const file = await disk.open(path, options)
    if (!path.includes(part)) return file
    const write = async (buffers: readonly Uint8Array[], offset: number): Promise<void> => {
      if (isFull()) throw new SillokError('DISK_FULL', `no space left for ${path}`)
      await file.write(buffers, offset)
    }
    return { ...file, write }
  }
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'open') return open
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

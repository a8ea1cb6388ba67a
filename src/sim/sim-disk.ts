/**
 * A simulated disk: files and folders in memory, with every freedom that the door to files leaves to a crash.
 *
 * One object is the disk as one process sees it. After `crash` no operation of it ever settles, as nothing
 * happens in a dead process; `restart` gives the disk that the next process finds, as often as wanted, each
 * time another legal outcome. Writes are seen by reads at once and answered after a latency. Chance comes
 * from the given Random only.
 *
 * mode 'all'   the process died, the machine lives: everything is readable, and what was unsynced still is;
 * mode 'none'  power loss: only what was durable is there;
 * mode 'any'   power loss: what was unsynced is there in part (see SimFile and SimNames).
 */
import { assert, must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { Disk, DiskFile, LogDevice } from '../env/disk.js'
import { MemoryBytes } from '../env/memory-bytes.js'
import { Folder } from '../env/memory-tree.js'
import { type CrashMode, SimFile } from './sim-file.js'
import { SimNames } from './sim-names.js'

/** How a simulated disk behaves. */
export interface SimDiskOptions {
  readonly clock: Clock
  readonly random: Random
  /** 'random' (default): 0.01 to 2 ms of the clock per operation; 'none': the next microtask. */
  readonly latency?: 'random' | 'none'
  /** Writes that would make the files longer than this, all together, fail with DISK_FULL. */
  readonly capacityBytes?: number
  /** A bug to plant: commits of log devices resolve without being durable. */
  readonly ignoreSync?: boolean
  /** Called in the very step in which the disk crashes: what else belongs to the process dies with it. */
  readonly onCrash?: (mode: CrashMode) => void
}

/** What an operation does, in two steps that a crash can part. */
interface Operation<T> {
  /** Done at once: seen by reads, kept or lost by a crash. */
  start(): T
  /** Done when it is answered: what becomes durable. Throws to reject. */
  finish?(value: T): void
}

const notesPerWriteback = 16

/** One disk as one process has it, with verbs for faults beside those of the door. */
export class SimDisk implements Disk {
  readonly #options: SimDiskOptions
  readonly #random: Random
  readonly #names: SimNames
  #operations = 0
  #crashed: CrashMode | undefined
  #crashPoint: { readonly operation: number; readonly mode: CrashMode } | undefined
  #tellCrash: () => void = () => {}
  #full = false
  #failSyncs = 0
  #notes = 0

  /** Resolves when the disk crashes. */
  readonly crashed: Promise<void>

  constructor(options: SimDiskOptions, names = new SimNames()) {
    this.#options = options
    this.#random = options.random
    this.#names = names
    this.crashed = new Promise(resolve => {
      this.#tellCrash = resolve
    })
  }

  /** Operations begun so far. */
  get operations(): number {
    return this.#operations
  }

  /** True from the crash on. */
  get dead(): boolean {
    return this.#crashed !== undefined
  }

  /** From now on no operation settles. */
  crash(mode: CrashMode): void {
    if (this.#crashed !== undefined) return
    this.#crashed = mode
    this.#tellCrash()
    this.#options.onCrash?.(mode)
  }

  /**
   * Crashes at the n-th operation from now (1: the next): before it, or after it without an answer, wholly
   * done or not.
   */
  crashAt(operations: number, mode: CrashMode): void {
    assert(operations >= 1, () => `crash at operation ${operations}`)
    this.#crashPoint = { operation: this.#operations + operations, mode }
  }

  /** What the next process finds. Without a crash before, there is one now (mode 'all'). */
  restart(options: Partial<SimDiskOptions> = {}): SimDisk {
    this.crash('all')
    const mode = must(this.#crashed, 'the mode of the crash')
    const names = this.#names.afterCrash(mode, this.#random, file => file.afterCrash(mode, this.#random))
    return new SimDisk({ ...this.#options, ...options }, names)
  }

  /** While full, every write fails with DISK_FULL after a part of it. */
  setFull(full: boolean): void {
    this.#full = full
  }

  /**
   * The next sync or commit fails with DISK_FAILED; what it should have made durable never is, but stays
   * readable.
   */
  failNextSync(): void {
    this.#failSyncs++
  }

  /** Turns one bit (from the start of the file) of what is stored. */
  flip(path: string, bit: number): void {
    this.#names.tree.file(path).flip(bit)
  }

  /** What reads see. */
  bytesOf(path: string): Buffer {
    const file = this.#names.tree.file(path)
    return file.read(0, file.size)
  }

  /** Puts a durable file there, with its folders, outside of the process's view. */
  setBytes(path: string, bytes: Uint8Array): void {
    const content = new MemoryBytes()
    content.write(bytes, 0)
    const steps = path.split('/')
    this.#makeFolder(steps.slice(0, -1).join('/'))()
    const { folder, name } = this.#names.tree.place(path)
    const file = new SimFile(content)
    folder.entries.set(name, file)
    this.#names.note(file, undefined, { folder, name })
    this.#names.harden(folder, this.#names.mark())
  }

  open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    return this.#operate({
      start: () => this.#openFile(options?.create ? this.#madeFile(path) : this.#names.tree.file(path)),
    })
  }

  openLog(path: string, notePath?: string): Promise<LogDevice> {
    return this.#operate({
      start: () => {
        const file = this.#names.tree.file(path)
        return this.#openLog(file, notePath === undefined ? undefined : this.#madeFile(notePath))
      },
    })
  }

  list(folder: string): Promise<string[]> {
    return this.#operate({ start: () => [...(this.#names.tree.folder(folder)?.entries.keys() ?? [])].sort() })
  }

  sizeOf(path: string): Promise<number | undefined> {
    return this.#operate({
      start: () => {
        const node = this.#names.tree.find(path)
        return node instanceof SimFile ? node.size : undefined
      },
    })
  }

  async makeFolder(folder: string): Promise<void> {
    await this.#operate({ start: () => this.#makeFolder(folder), finish: harden => harden() })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operate({
      start: () => {
        const { source, target, node } = this.#names.tree.checkRename(from, to)
        if (target.folder.entries.get(target.name) === node) return
        source.folder.entries.delete(source.name)
        target.folder.entries.set(target.name, node)
        this.#names.note(node, source, target)
      },
    })
  }

  async remove(path: string): Promise<void> {
    await this.#operate({
      start: () => {
        const node = this.#names.tree.find(path)
        if (node !== undefined) this.#names.remove(node, this.#names.tree.place(path))
      },
    })
  }

  async syncFolder(path: string): Promise<void> {
    await this.#operate({
      start: () => {
        const folder = this.#names.tree.folder(path)
        if (folder === undefined) throw new SillokError('DISK_FAILED', `no such folder: ${path}`)
        return { folder, mark: this.#names.mark() }
      },
      finish: ({ folder, mark }) => {
        this.#failSync(path)
        this.#names.harden(folder, mark)
      },
    })
  }

  async close(): Promise<void> {
    await this.#operate({ start: () => {} })
  }

  #makeFolder(path: string): () => void {
    const steps = this.#names.tree.makeFolder(path)
    for (const { place, node, made } of steps) if (made) this.#names.note(node, undefined, place)
    const mark = this.#names.mark()
    return () => {
      for (const { place, node } of steps) this.#names.harden(place.folder, mark, new Set([node]))
    }
  }

  #openFile(file: SimFile): DiskFile {
    let open = true
    const operate = <T>(operation: Operation<T>): Promise<T> => {
      assert(open, 'the file is closed')
      return this.#operate(operation)
    }
    return {
      size: () => operate({ start: () => file.size }),
      read: (offset, length) => operate({ start: () => file.read(offset, length) }),
      contentEnd: () => operate({ start: () => file.contentEnd }),
      write: (buffers, offset) => operate({ start: () => this.#write(file, buffers, offset) }),
      truncate: size => operate({ start: () => file.truncate(size) }),
      sync: async () => {
        await operate({ start: () => file.mark(), finish: mark => this.#sync(file, mark) })
      },
      close: async () => {
        await operate({ start: () => {} })
        open = false
      },
    }
  }

  #madeFile(path: string): SimFile {
    const place = this.#names.tree.place(path)
    if (!place.folder.entries.has(place.name)) {
      const made = new SimFile()
      place.folder.entries.set(place.name, made)
      this.#names.note(made, undefined, place)
    }
    return this.#names.tree.file(path)
  }

  #openLog(file: SimFile, noteFile: SimFile | undefined): LogDevice {
    let open = true
    let busy = false
    return {
      commit: async (buffers, offset, { note } = {}) => {
        assert(open && !busy, 'one commit at a time, on an open device')
        busy = true
        try {
          await this.#operate({
            start: () => {
              this.#write(file, buffers, offset)
              return file.mark()
            },
            finish: mark => {
              if (!this.#options.ignoreSync) this.#sync(file, mark)
              if (note !== undefined && noteFile !== undefined) this.#writeNote(noteFile, note)
            },
          })
        } finally {
          busy = false
        }
      },
      close: async () => {
        await this.#operate({ start: () => {} })
        open = false
      },
    }
  }

  /** Not synced by anybody; now and then the system writes back what is in its cache. */
  #writeNote(file: SimFile, note: Uint8Array): void {
    if (++this.#notes % notesPerWriteback === 0) file.harden(file.mark())
    file.write(note, 0)
  }

  #write(file: SimFile, buffers: readonly Uint8Array[], offset: number): void {
    const bytes = Buffer.concat(buffers)
    let room = bytes.length
    if (this.#full) {
      room = this.#random.below(bytes.length + 1)
    } else if (this.#options.capacityBytes !== undefined) {
      const free = this.#options.capacityBytes - usedBytes(this.#names.tree.root)
      room = Math.min(room, Math.max(0, file.size + free - offset))
    }
    file.write(bytes.subarray(0, room), offset)
    if (this.#full || room < bytes.length) throw new SillokError('DISK_FULL', 'no space left on the disk')
  }

  #sync(file: SimFile, mark: number): void {
    try {
      this.#failSync('a file')
    } catch (error) {
      file.forget(mark)
      throw error
    }
    file.harden(mark)
  }

  #failSync(what: string): void {
    if (this.#failSyncs === 0) return
    this.#failSyncs--
    throw new SillokError('DISK_FAILED', `sync of ${what} failed`)
  }

  async #operate<T>(operation: Operation<T>): Promise<T> {
    if (this.#crashed !== undefined) return never()
    this.#operations++
    const point = this.#crashPoint
    if (point !== undefined && this.#operations === point.operation) {
      this.#crashDuring(operation, point.mode)
      return never()
    }
    let value: T | undefined
    let failure: { readonly error: unknown } | undefined
    try {
      value = operation.start()
    } catch (error) {
      failure = { error }
    }
    await this.#latency()
    if (this.#crashed !== undefined) return never()
    if (failure !== undefined) throw failure.error
    operation.finish?.(value as T)
    return value as T
  }

  #crashDuring<T>(operation: Operation<T>, mode: CrashMode): void {
    const stage = this.#random.below(3)
    try {
      const value = stage > 0 ? operation.start() : undefined
      if (stage === 2) operation.finish?.(value as T)
    } catch {
      // The process that would have been told of the failure is dead.
    }
    this.crash(mode)
  }

  async #latency(): Promise<void> {
    if (this.#options.latency === 'none') return
    const ms = 0.01 + 1.99 * this.#random.fraction() ** 3
    await new Promise<void>(resolve => this.#options.clock.after(ms, resolve))
  }
}

function usedBytes(folder: Folder<SimFile>): number {
  let used = 0
  for (const node of folder.entries.values()) used += node instanceof Folder ? usedBytes(node) : node.size
  return used
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}

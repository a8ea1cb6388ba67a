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
 *
 * The disk goes on while its process is held; the process hears of it when it goes on itself. The verbs for
 * faults draw from a stream of chance of their own: who does not use them finds the same times and outcomes
 * as without them. A fault that is arranged ends with the process, what it did to the medium stays. Paths of
 * files are those by which they were opened.
 */
import { assert, must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { Disk, DiskFile, LogDevice } from '../env/disk.js'
import { MemoryBytes } from '../env/memory-bytes.js'
import { Folder } from '../env/memory-tree.js'
import type { FaultCounts } from './fault-counts.js'
import { FaultPlan, type Strike } from './fault-plan.js'
import { type CrashMode, SimFile, sectorBytes } from './sim-file.js'
import { SimNames } from './sim-names.js'
import { SimPace } from './sim-pace.js'
import { freeProcess, type SimProcess } from './sim-process.js'

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
  /** Who hears of the ends of operations; default: a process that is never held. */
  readonly process?: SimProcess
  readonly faults?: FaultCounts | undefined
}

/**
 * Faults that can be arranged to strike.
 *
 * failed-sync        a sync or commit, also of a folder, rejects: what it covered never becomes durable;
 * lost-sync          it resolves, and what it covered is not durable, of a folder not yet;
 * misdirected-write  it resolves, and sectors that it covered stand at a wrong place;
 * read-error         a read of a file rejects.
 */
export type DiskFault = 'failed-sync' | 'lost-sync' | 'misdirected-write' | 'read-error'

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
  readonly #faultRandom: Random
  readonly #plan: FaultPlan<DiskFault>
  /** How fast it is: slow for a while, or hung. */
  readonly pace: SimPace
  readonly #process: SimProcess
  readonly #faults: FaultCounts | undefined
  #isWiped = false
  #operations = 0
  #crashed: CrashMode | undefined
  #crashWhen: { where(path: string): boolean; operations: number; mode: CrashMode } | undefined
  #crashPoint: { readonly operation: number; readonly mode: CrashMode } | undefined
  #tellCrash: () => void = () => {}
  #full = false
  #notes = 0

  /** Resolves when the disk crashes. */
  readonly crashed: Promise<void>

  constructor(
    options: SimDiskOptions,
    names = new SimNames(),
    faultRandom = options.random.split('disk faults'),
  ) {
    this.#options = options
    this.#random = options.random
    this.#names = names
    this.#faultRandom = faultRandom
    this.#plan = new FaultPlan(faultRandom)
    const kinds = { slow: 'slow-disk', hung: 'hung-disk' } as const
    this.pace = new SimPace({ ...options, faultRandom, kinds })
    this.#process = options.process ?? freeProcess
    this.#faults = options.faults
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
    this.#faults?.count(mode === 'all' ? 'process-death' : 'power-loss')
    this.#tellCrash()
    this.#options.onCrash?.(mode)
  }

  /**
   * Crashes at the n-th operation from now (1: the next): before it, or after it without an answer, wholly
   * done or not. With `where` they are counted from the first one at such a path, unless it is calm before.
   */
  crashAt(operations: number, mode: CrashMode, where?: (path: string) => boolean): void {
    assert(operations >= 1, () => `crash at operation ${operations}`)
    if (where !== undefined) this.#crashWhen = { where, operations, mode }
    else this.#crashPoint = { operation: this.#operations + operations, mode }
  }

  /** What the next process finds. Without a crash before, there is one now (mode 'all'). */
  restart(options: Partial<SimDiskOptions> = {}): SimDisk {
    this.crash('all')
    const mode = must(this.#crashed, 'the mode of the crash')
    const convert = (file: SimFile): SimFile => file.afterCrash(mode, this.#random, this.#faults)
    const left = this.#names.afterCrash(mode, this.#random, convert, this.#faults)
    if (this.#isWiped) this.#faults?.count('wiped-disk')
    const names = this.#isWiped ? new SimNames() : left
    return new SimDisk({ ...this.#options, ...options }, names, this.#faultRandom)
  }

  /** Power is lost, and the next process finds an empty disk. */
  wipe(): void {
    this.#isWiped = true
    this.crash('none')
  }

  /** From now on that fault strikes: the next one that it can, if nothing else is said. */
  arrange(fault: DiskFault, strike?: Strike): void {
    this.#plan.arrange(fault, strike)
  }

  /** Ends what lasts: what was arranged and did not strike, slowness, hanging, being full; not `crashAt`. */
  calm(): void {
    this.#plan.calm()
    this.pace.calm()
    this.#full = false
    this.#crashWhen = undefined
  }

  /**
   * Turns one bit (from the start of the file) of what is durable; read only when the page cache is gone.
   * False if there is none there.
   */
  rot(path: string, bit: number): boolean {
    return this.#names.tree.file(path).rot(bit)
  }

  /** The same for some bit of some file; returns the path, or undefined if nothing there is durable. */
  rotAny(random: Random, where: (path: string) => boolean = () => true): string | undefined {
    const found = this.#names.files().filter(([path, file]) => file.durableSize > 0 && where(path))
    if (found.length === 0) return undefined
    const [path, file] = random.pick(found)
    file.rot(random.below(file.durableSize * 8))
    return path
  }

  /** The paths of all files that are there, for a look from outside. */
  paths(): string[] {
    return this.#names.files().map(([path]) => path)
  }

  /** The page cache lets go what need not be written: reads see what is durable. */
  evict(where: (path: string) => boolean = () => true): void {
    for (const [path, file] of this.#names.files()) if (where(path)) file.evict(this.#faults)
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
    this.arrange('failed-sync')
  }

  /** Turns one bit (from the start of the file) of what is stored. */
  flip(path: string, bit: number): void {
    this.#names.tree.file(path).flip(bit)
    this.#faults?.count('flipped-bit')
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
    return this.#operate(path, {
      start: () => this.#openFile(path, options?.create ? this.#madeFile(path) : this.#names.tree.file(path)),
    })
  }

  openLog(path: string, notePath?: string): Promise<LogDevice> {
    return this.#operate(path, {
      start: () => {
        const file = this.#names.tree.file(path)
        return this.#openLog(path, file, notePath === undefined ? undefined : this.#madeFile(notePath))
      },
    })
  }

  list(folder: string): Promise<string[]> {
    const names = (): string[] => [...(this.#names.tree.folder(folder)?.entries.keys() ?? [])]
    return this.#operate(folder, { start: () => names().sort() })
  }

  sizeOf(path: string): Promise<number | undefined> {
    return this.#operate(path, {
      start: () => {
        const node = this.#names.tree.find(path)
        return node instanceof SimFile ? node.size : undefined
      },
    })
  }

  async makeFolder(folder: string): Promise<void> {
    await this.#operate(folder, { start: () => this.#makeFolder(folder), finish: harden => harden() })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operate(from, {
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
    await this.#operate(path, {
      start: () => {
        const node = this.#names.tree.find(path)
        if (node !== undefined) this.#names.remove(node, this.#names.tree.place(path))
      },
    })
  }

  async syncFolder(path: string): Promise<void> {
    await this.#operate(path, {
      start: () => {
        const folder = this.#names.tree.folder(path)
        if (folder === undefined) throw new SillokError('DISK_FAILED', `no such folder: ${path}`)
        return { folder, mark: this.#names.mark() }
      },
      finish: ({ folder, mark }) => {
        this.#failSync(path)
        if (!this.#plan.strikes('lost-sync', path)) this.#names.harden(folder, mark)
      },
    })
  }

  async close(): Promise<void> {
    await this.#operate('', { start: () => {} })
  }

  #makeFolder(path: string): () => void {
    const steps = this.#names.tree.makeFolder(path)
    for (const { place, node, made } of steps) if (made) this.#names.note(node, undefined, place)
    const mark = this.#names.mark()
    return () => {
      for (const { place, node } of steps) this.#names.harden(place.folder, mark, new Set([node]))
    }
  }

  #openFile(path: string, file: SimFile): DiskFile {
    let open = true
    const operate = <T>(operation: Operation<T>): Promise<T> => {
      assert(open, 'the file is closed')
      return this.#operate(path, operation)
    }
    return {
      size: () => operate({ start: () => file.size }),
      read: (offset, length) => operate({ start: () => this.#read(path, file, offset, length) }),
      contentEnd: () => operate({ start: () => file.contentEnd }),
      write: (buffers, offset) => operate({ start: () => this.#write(file, buffers, offset) }),
      truncate: size => operate({ start: () => file.truncate(size) }),
      sync: async () => {
        await operate({ start: () => file.mark(), finish: mark => this.#sync(path, file, mark) })
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

  #openLog(path: string, file: SimFile, noteFile: SimFile | undefined): LogDevice {
    let open = true
    let busy = false
    return {
      commit: async (buffers, offset, { note } = {}) => {
        assert(open && !busy, 'one commit at a time, on an open device')
        busy = true
        try {
          await this.#operate(path, {
            start: () => {
              this.#write(file, buffers, offset)
              return file.mark()
            },
            finish: mark => {
              if (!this.#options.ignoreSync) this.#sync(path, file, mark)
              if (note !== undefined && noteFile !== undefined) this.#writeNote(noteFile, note)
            },
          })
        } finally {
          busy = false
        }
      },
      close: async () => {
        await this.#operate(path, { start: () => {} })
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
    if (!this.#full && room === bytes.length) return
    this.#faults?.count('full-disk')
    throw new SillokError('DISK_FULL', 'no space left on the disk')
  }

  #read(path: string, file: SimFile, offset: number, length: number): Buffer {
    if (!this.#plan.strikes('read-error', path)) return file.read(offset, length)
    this.#faults?.count('read-error')
    throw new SillokError('DISK_FAILED', `reading ${path} failed`)
  }

  #sync(path: string, file: SimFile, mark: number): void {
    try {
      this.#failSync(path)
    } catch (error) {
      file.forget(mark)
      throw error
    }
    if (!file.hasUnsynced(mark)) file.harden(mark)
    else if (this.#plan.strikes('lost-sync', path)) file.lose(mark)
    else if (file.size > sectorBytes && this.#plan.strikes('misdirected-write', path)) {
      file.misdirect(mark, this.#faultRandom)
    } else file.harden(mark)
  }

  #failSync(path: string): void {
    if (!this.#plan.strikes('failed-sync', path)) return
    this.#faults?.count('failed-sync')
    throw new SillokError('DISK_FAILED', `sync of ${path} failed`)
  }

  async #operate<T>(path: string, operation: Operation<T>): Promise<T> {
    if (this.#crashed !== undefined) return never()
    this.#operations++
    if (this.#crashWhen?.where(path) === true) {
      this.#crashPoint = { ...this.#crashWhen, operation: this.#operations + this.#crashWhen.operations - 1 }
      this.#crashWhen = undefined
    }
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
    await this.#latency(path)
    if (this.#crashed !== undefined) return never()
    try {
      if (failure === undefined) operation.finish?.(value as T)
    } catch (error) {
      failure = { error }
    }
    if (this.#process.isHeld) await new Promise<void>(resolve => this.#process.arrive(resolve))
    if (this.#crashed !== undefined) return never()
    if (failure !== undefined) throw failure.error
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
    this.#faults?.count('crash-in-operation')
    this.crash(mode)
  }

  async #latency(path: string): Promise<void> {
    const wait = this.pace.wait(path)
    if (wait !== undefined) await wait
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

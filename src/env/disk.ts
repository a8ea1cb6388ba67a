/**
 * The door to files. What is promised after a crash:
 *
 * - bytes written but not synced may be there wholly, in any subset of 512-byte sectors, or not at all;
 * - a file that was created, renamed or removed may or may not be so until its folder is synced;
 * - `sync` makes the file's bytes and length durable, not its name.
 *
 * Paths are absolute, or relative to what the implementation calls its root. Errors are SillokErrors:
 * DISK_FULL (space or quota; nothing may be concluded about the bytes: write them again at the same offset),
 * DISK_FAILED (I/O error; after a failed sync trust nothing of that file), FOLDER_UNUSABLE (permissions,
 * read-only, not a folder). A missing file or folder is `undefined` or an empty list where the signature says
 * so, otherwise DISK_FAILED.
 */

/** An open file. Reads and writes may be in flight at once if their ranges do not overlap. */
export interface DiskFile {
  /** Length in bytes, now. */
  size(): Promise<number>
  /** The bytes from offset; fewer than asked for only at the end of the file. */
  read(offset: number, length: number): Promise<Buffer>
  /** An offset from which on all bytes are zeros: near the first such, or the size. */
  contentEnd(): Promise<number>
  /**
   * Writes the buffers one after the other from offset, whole (short writes are continued). Not yet durable.
   */
  write(buffers: readonly Uint8Array[], offset: number): Promise<void>
  /** When it resolves, all bytes written before the call, and the length, are durable. */
  sync(): Promise<void>
  /** Cuts the file, or lengthens it by zeros. Not yet durable. */
  truncate(size: number): Promise<void>
  /** Lets go of the file; nothing is synced by it. */
  close(): Promise<void>
}

/** One file of the write-ahead log: one verb. One commit at a time. */
export interface LogDevice {
  /**
   * When it resolves, the buffers stand at offset, whole and durable. On DISK_FULL the same call may be
   * repeated.
   */
  commit(buffers: readonly Uint8Array[], offset: number, options?: CommitOptions): Promise<void>
  /** Lets go of the file. */
  close(): Promise<void>
}

/** What goes with a commit. */
export interface CommitOptions {
  /**
   * At most `noteBytesMax`: written to the begin of the note's file once the buffers are durable and before
   * the commit resolves; it is not synced, and nothing is told of a failure.
   */
  readonly note?: Uint8Array | undefined
  /**
   * Nothing else goes on until it resolves: to answer sooner, the device may hold the event loop for
   * `limits.loneCommitMs`. Default false.
   */
  readonly isLone?: boolean
}

/** Bytes of a log device's note. */
export const noteBytesMax = 16

/** Folders and files of one node. */
export interface Disk {
  /**
   * Opens for reading and writing. `create`: makes the file if it is missing. Missing without create:
   * DISK_FAILED.
   */
  open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile>
  /**
   * Opens an existing file as a log device; its I/O shares no threads with the key-value store. The file
   * `notePath` is made if it is missing.
   */
  openLog(path: string, notePath?: string): Promise<LogDevice>
  /** Names in the folder, sorted; none if the folder is missing. */
  list(folder: string): Promise<string[]>
  /** Length of the file in bytes, undefined if there is none. */
  sizeOf(path: string): Promise<number | undefined>
  /** Makes the folder and its parents; durable when it resolves. */
  makeFolder(folder: string): Promise<void>
  /** Renames a file or folder, over an existing file too. Durable after `syncFolder` of the parents. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a folder with all that it holds; nothing happens if it is missing. */
  remove(path: string): Promise<void>
  /** When it resolves, names that were made, renamed or removed in the folder before the call are durable. */
  syncFolder(folder: string): Promise<void>
  /** Ends what the implementation runs (threads). Open files must be closed before. */
  close(): Promise<void>
}

/** The bytes of the whole file. Rejects as the disk does, for a file that is missing too. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(path)
  try {
    return await file.read(0, await file.size())
  } finally {
    await file.close()
  }
}

/** Joins path parts with '/', as every implementation understands them. */
export function joinPath(...parts: readonly string[]): string {
  return parts.join('/')
}

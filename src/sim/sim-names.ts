/**
 * Names of a simulated disk: what is seen, and what is durable.
 *
 * A change of names (create, rename, remove) is durable once each folder that it touches is synced; until
 * then a crash keeps it whole or drops it whole, in any combination with others. A rename is atomic: one of
 * the two names stands, never both or neither.
 */
import { assert } from '../base/assert.js'
import type { Random } from '../base/random.js'
import { Folder, MemoryTree, type Place } from '../env/memory-tree.js'
import type { FaultCounts } from './fault-counts.js'
import type { CrashMode, SimFile } from './sim-file.js'

type Node = SimFile | Folder<SimFile>
type Names = Map<string, Node>

interface NameChange {
  readonly sequence: number
  readonly node: Node
  /** Where it stood and where it stands now; without `to` it was removed, without `from` it was made. */
  readonly from: Place<SimFile> | undefined
  readonly to: Place<SimFile> | undefined
  /** Folders that are still to be synced. */
  readonly waits: Set<Folder<SimFile>>
}

/** Folders with their names, and where each node stands: a node has at most one name. */
class NameTable {
  readonly names = new Map<Folder<SimFile>, Names>()
  readonly places = new Map<Node, Place<SimFile>>()

  of(folder: Folder<SimFile>): Names {
    const names = this.names.get(folder) ?? new Map<string, Node>()
    this.names.set(folder, names)
    return names
  }

  apply(change: NameChange): void {
    const old = this.places.get(change.node)
    if (old !== undefined) this.of(old.folder).delete(old.name)
    this.places.delete(change.node)
    if (change.to === undefined) return
    const names = this.of(change.to.folder)
    const replaced = names.get(change.to.name)
    if (replaced !== undefined) this.places.delete(replaced)
    names.set(change.to.name, change.node)
    this.places.set(change.node, change.to)
  }

  clone(): NameTable {
    const copy = new NameTable()
    for (const [folder, names] of this.names) copy.names.set(folder, new Map(names))
    for (const [node, place] of this.places) copy.places.set(node, place)
    return copy
  }

  /** Forgets what a removed folder held. */
  drop(folder: Folder<SimFile>): void {
    const names = this.names.get(folder)
    this.names.delete(folder)
    for (const node of names?.values() ?? []) {
      this.places.delete(node)
      if (node instanceof Folder) this.drop(node)
    }
  }
}

/** The names on one medium: what the tree shows, with the changes that are not durable yet. */
export class SimNames {
  readonly tree: MemoryTree<SimFile>
  #durable = new NameTable()
  #pending: NameChange[] = []
  #sequence = 0

  constructor(tree = new MemoryTree<SimFile>()) {
    this.tree = tree
  }

  /** All files with their paths, in the order of the names. */
  files(folder = this.tree.root, path = ''): [path: string, file: SimFile][] {
    const nodes = [...folder.entries].sort(([a], [b]) => (a < b ? -1 : 1))
    return nodes.flatMap(([name, node]): [string, SimFile][] =>
      node instanceof Folder ? this.files(node, `${path}${name}/`) : [[`${path}${name}`, node]],
    )
  }

  /** Notes a change that the tree already shows. */
  note(node: Node, from: Place<SimFile> | undefined, to: Place<SimFile> | undefined): void {
    const waits = new Set<Folder<SimFile>>()
    if (from !== undefined) waits.add(from.folder)
    if (to !== undefined) waits.add(to.folder)
    this.#pending.push({ sequence: ++this.#sequence, node, from, to, waits })
  }

  /** Takes the node's name away, and the names of all that it holds. */
  remove(node: Node, place: Place<SimFile>): void {
    if (node instanceof Folder) {
      for (const [name, inner] of [...node.entries]) this.remove(inner, { folder: node, name })
    }
    place.folder.entries.delete(place.name)
    this.note(node, place, undefined)
  }

  /** Names the changes so far, for `harden`. */
  mark(): number {
    return this.#sequence
  }

  /**
   * The folder is synced: its changes up to the mark are durable, and what must come before them; with
   * `only`, no more than the names of these nodes.
   */
  harden(folder: Folder<SimFile>, mark: number, only?: ReadonlySet<Node>): void {
    const names = new Map<Folder<SimFile>, Set<string>>()
    const touch = (place: Place<SimFile> | undefined): void => {
      if (place === undefined) return
      names.set(place.folder, (names.get(place.folder) ?? new Set()).add(place.name))
    }
    const touched = (place: Place<SimFile> | undefined): boolean =>
      place !== undefined && names.get(place.folder)?.has(place.name) === true
    const ready = new Set<NameChange>()
    for (const change of this.#pending.toReversed()) {
      if (change.sequence > mark) continue
      if (only === undefined || only.has(change.node)) change.waits.delete(folder)
      if (change.waits.size > 0 && !touched(change.from) && !touched(change.to)) continue
      ready.add(change)
      touch(change.from)
      touch(change.to)
    }
    for (const change of this.#pending) if (ready.has(change)) this.#durable.apply(change)
    this.#pending = this.#pending.filter(change => !ready.has(change))
    for (const change of ready) this.#sweep(change)
  }

  /**
   * The names as they are found after a crash, with each file as `convert` gives it; this one stays as it is.
   */
  afterCrash(
    mode: CrashMode,
    random: Random,
    convert: (file: SimFile) => SimFile,
    faults?: FaultCounts,
  ): SimNames {
    const table = this.#durable.clone()
    const kept = mode === 'any' ? this.#anySubset(random) : []
    for (const change of kept) table.apply(change)
    if (mode !== 'all') faults?.count('unsynced-name-lost', this.#pending.length - kept.length)
    const copies = new Map<Node, Node>()
    const copy = (node: Node): Node => {
      let made = copies.get(node)
      if (made === undefined) {
        made = node instanceof Folder ? new Folder<SimFile>() : convert(node)
        copies.set(node, made)
      }
      return made
    }
    const copyFolder = (folder: Folder<SimFile>): Folder<SimFile> => {
      const made = copy(folder)
      assert(made instanceof Folder, 'a folder stays one')
      return made
    }
    const left = new SimNames(new MemoryTree(copyFolder(this.tree.root)))
    const fill = (folder: Folder<SimFile>): void => {
      const entries = mode === 'all' ? folder.entries : table.of(folder)
      for (const [name, node] of entries) {
        copyFolder(folder).entries.set(name, copy(node))
        if (node instanceof Folder) fill(node)
      }
    }
    fill(this.tree.root)
    const copyPlace = (place: Place<SimFile>): Place<SimFile> => ({
      folder: copyFolder(place.folder),
      name: place.name,
    })
    if (mode === 'all') left.#inherit(this, copy, copyPlace)
    else left.#settle(left.tree.root)
    return left
  }

  /** Everything that the tree shows is durable. */
  #settle(folder: Folder<SimFile>): void {
    for (const [name, node] of folder.entries) {
      this.#durable.of(folder).set(name, node)
      this.#durable.places.set(node, { folder, name })
      if (node instanceof Folder) this.#settle(node)
    }
  }

  #inherit(
    origin: SimNames,
    copy: (node: Node) => Node,
    copyPlace: (place: Place<SimFile>) => Place<SimFile>,
  ): void {
    for (const [node, place] of origin.#durable.places) {
      const own = copyPlace(place)
      this.#durable.of(own.folder).set(own.name, copy(node))
      this.#durable.places.set(copy(node), own)
    }
    this.#sequence = origin.#sequence
    this.#pending = origin.#pending.map(change => ({
      sequence: change.sequence,
      node: copy(change.node),
      from: change.from && copyPlace(change.from),
      to: change.to && copyPlace(change.to),
      waits: new Set([...change.waits].map(folder => copyPlace({ folder, name: '' }).folder)),
    }))
  }

  /** A prefix (as a journal leaves), or any subset (as others may). */
  #anySubset(random: Random): NameChange[] {
    if (random.chance(0.5)) return this.#pending.slice(0, random.below(this.#pending.length + 1))
    const share = random.fraction()
    return this.#pending.filter(() => random.chance(share))
  }

  /** Changes inside a folder that is gone for good need not be kept. */
  #sweep(change: NameChange): void {
    if (!(change.node instanceof Folder) || this.#durable.places.has(change.node)) return
    const gone = new Set<Folder<SimFile>>()
    const collect = (folder: Folder<SimFile>): void => {
      gone.add(folder)
      for (const node of this.#durable.of(folder).values()) if (node instanceof Folder) collect(node)
    }
    collect(change.node)
    this.#pending = this.#pending.filter(
      one => !(one.from && gone.has(one.from.folder)) && !(one.to && gone.has(one.to.folder)),
    )
    this.#durable.drop(change.node)
  }
}

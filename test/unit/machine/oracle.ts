/**
 * What a partition must answer, computed in another way: documents in a Map, unique values found by looking
 * at all of them, sessions as lists of answers.
 */
export interface Place {
  readonly id: string
  readonly tag?: string
  readonly a?: number
  readonly b?: number
}

export interface Step {
  readonly op: 'insert' | 'put' | 'delete' | 'check'
  readonly document: Place
  readonly ifVersion: number | null | undefined
}

export interface Mark {
  readonly session: number
  readonly epoch: number
  readonly sequence: number
  readonly lowWater: number
  readonly caller: boolean
  readonly slot: number
  readonly hash: string
}

/** An answer: done with what existed, or a code with details. */
export type Expected =
  | { readonly done: number; readonly existed: readonly boolean[] }
  | { readonly code: string; readonly details: Readonly<Record<string, unknown>> }
  | { readonly openFirst: number }

interface Kept {
  readonly slot: number
  readonly session: number
  readonly epoch: number
  readonly sequence: number
  readonly hash: string
  readonly answer: Expected
}

export class Oracle {
  documents = new Map<string, { readonly document: Place; readonly version: number }>()
  readonly opened = new Map<number, number>()
  readonly #highest = new Map<string, number>()
  #kept: Kept[] = []
  cursor = 0

  get keptCount(): number {
    return this.#kept.length
  }

  write(steps: readonly Step[], mark: Mark | undefined, version: number): Expected {
    if (mark === undefined) return this.#execute(steps, version)
    const epoch = mark.caller ? 0 : mark.epoch
    const { session, slot, sequence } = mark
    const same = (kept: Kept): boolean =>
      kept.session === session && kept.slot === slot && kept.epoch === epoch
    const kept = this.#kept.find(one => same(one) && one.sequence === sequence)
    if (kept !== undefined)
      return kept.hash === mark.hash ? kept.answer : { code: 'SEQUENCE_REUSED', details: {} }
    const opened = this.opened.get(session) ?? 0
    if (mark.epoch > opened) return { openFirst: session }
    if (mark.epoch < opened) return { code: 'FENCED', details: { session, epoch: opened } }
    const place = `${slot} ${session} ${epoch}`
    const highest = Math.max(mark.lowWater, this.#highest.get(place) ?? 0)
    if (sequence < highest) return { code: 'ALREADY_ACKNOWLEDGED', details: {} }
    if (sequence >= mark.lowWater + 1024) return { code: 'WINDOW_FULL', details: {} }
    const answer = this.#execute(steps, version)
    this.#highest.set(place, highest)
    this.#kept = this.#kept.filter(one => !same(one) || one.sequence >= mark.lowWater)
    this.#kept.push({ slot, session, epoch, sequence, hash: mark.hash, answer })
    return answer
  }

  open(session: number, epoch: number, metaIndex: number, caller: boolean): Expected | undefined {
    const opened = this.opened.get(session) ?? 0
    if (opened > epoch) return { code: 'FENCED', details: { session, epoch: opened } }
    if (opened === epoch) return undefined
    if (this.cursor > metaIndex) return { code: 'UNAVAILABLE', details: {} }
    this.opened.set(session, epoch)
    if (!caller) this.#kept = this.#kept.filter(one => one.session !== session || one.epoch >= epoch)
    return undefined
  }

  feed(through: number, ended: readonly number[]): void {
    this.cursor = Math.max(this.cursor, through)
    for (const session of ended) {
      this.opened.delete(session)
      this.#kept = this.#kept.filter(one => one.session !== session)
      for (const place of this.#highest.keys())
        if (place.split(' ')[1] === `${session}`) this.#highest.delete(place)
    }
  }

  #execute(steps: readonly Step[], version: number): Expected {
    const before = new Map(this.documents)
    const existed: boolean[] = []
    for (const step of steps) {
      const refused = this.#step(step, version)
      if (typeof refused !== 'boolean') {
        this.documents = before
        return refused
      }
      existed.push(refused)
    }
    return { done: version, existed }
  }

  #step({ op, document, ifVersion }: Step, version: number): boolean | Expected {
    const { id } = document
    const current = this.documents.get(id)
    if (op === 'insert' && current) return { code: 'EXISTS', details: { key: id, version: current.version } }
    if (ifVersion !== undefined && ifVersion !== (current?.version ?? null)) {
      return { code: 'CONFLICT', details: { key: id, version: current?.version ?? null } }
    }
    if (op === 'check') return current !== undefined
    if (op === 'delete') return this.documents.delete(id)
    for (const [constraint, value] of uniqueValues(document)) {
      for (const [holder, other] of this.documents) {
        if (holder === id || new Map(uniqueValues(other.document)).get(constraint) !== value) continue
        return { code: 'UNIQUE_TAKEN', details: { constraint, holder, version: other.version } }
      }
    }
    this.documents.set(id, { document, version })
    return current !== undefined
  }
}

function uniqueValues({ tag, a, b }: Place): [string, string][] {
  const values: [string, string][] = []
  if (tag !== undefined) values.push(['tag', tag.trim().toLowerCase()])
  if (a !== undefined && b !== undefined) values.push(['pair', `${a} ${b}`])
  return values
}

/**
 * Some hosts under one seed that connect and talk at random, while cables are cut, connections break and
 * processes die. What was sent and what arrived is kept by connection, for the laws that hold whatever
 * happens.
 */
import { must } from '../../../src/base/assert.js'
import { Random } from '../../../src/base/random.js'
import type { Connection } from '../../../src/env/network.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { type SimDoor, SimNetwork } from '../../../src/sim/sim-network.js'

/** One side of a connection: what it was given, what came, and its end. */
export interface Side {
  readonly door: SimDoor
  readonly connection: Connection
  readonly sent: string[]
  readonly seen: string[]
  closedMs: number | undefined
  /** What came after the end. */
  late: number
}

/** A connection by its two sides; the far one is missing if it was never accepted. */
export interface Talk {
  readonly near: Side
  far: Side | undefined
}

const hosts = ['a', 'b', 'c'] as const

export class NetworkWorld {
  readonly clock = new SimClock()
  readonly random: Random
  readonly network: SimNetwork
  readonly talks: Talk[] = []
  /** Everything that was seen to happen, with its time. */
  readonly story: string[] = []
  readonly #doors = new Map<string, SimDoor>()
  readonly #accepted = new Map<string, Side>()
  #count = 0
  refused = 0

  constructor(seed: string) {
    this.random = new Random(seed).split('world')
    const random = new Random(seed).split('network')
    this.network = new SimNetwork({ clock: this.clock, random, waitingBytesMax: 300, silenceMs: [600, 800] })
    for (const host of hosts) this.#start(host)
  }

  /** So many random steps, then calm until all that is broken was noticed. */
  async run(steps: number): Promise<void> {
    await this.clock.run(async () => {
      for (let step = 0; step < steps; step++) {
        this.#step()
        await new Promise<void>(resolve => this.clock.after(this.random.fraction() * 20, resolve))
      }
      this.network.calm()
      await new Promise<void>(resolve => this.clock.after(6000, resolve))
    })
    for (const talk of this.talks) talk.far = this.#accepted.get(must(talk.near.sent[0], 'a name'))
  }

  #step(): void {
    const { random, network, clock } = this
    const [one, other] = [random.pick(hosts), random.pick(hosts)]
    const draw = random.below(100)
    if (draw < 20) this.#connect(one, other)
    else if (draw < 80) this.#talk()
    else if (draw < 84) network.cut(one, other)
    else if (draw < 90) network.heal(one, other)
    else if (draw < 92) network.break(one, other)
    else if (draw < 93) network.refuse(one)
    else if (draw < 94) network.storm([0, 100])
    else if (draw < 96) network.calm()
    else if (draw < 98) random.pick(this.#open()).connection.close()
    else {
      this.#tell(`${one} dies`)
      this.#door(one).kill(random.chance(0.5) ? {} : { isSilent: random.chance(0.5) })
      clock.after(random.below(300), () => this.#start(one))
      this.#doors.delete(one)
    }
  }

  #start(host: string): void {
    if (this.#doors.has(host)) return
    const door = this.network.process(host)
    this.#doors.set(host, door)
    void door.listen(`${host}:1`, connection => {
      const side = this.#side(door, connection, name => this.#accepted.set(name, side))
    })
  }

  #door(host: string): SimDoor {
    if (!this.#doors.has(host)) this.#start(host)
    return must(this.#doors.get(host), host)
  }

  #connect(from: string, to: string): void {
    const door = this.#door(from)
    const name = `${from}>${to} ${++this.#count}`
    door.connect(`${to}:1`).then(
      connection => {
        this.#tell(`${name} stands`)
        const near = this.#side(door, connection, () => {})
        this.talks.push({ near, far: undefined })
        near.sent.push(name)
        connection.send(Buffer.from(name))
      },
      () => {
        this.refused++
        this.#tell(`${name} is refused`)
      },
    )
  }

  #side(door: SimDoor, connection: Connection, first: (message: string) => void): Side {
    const side: Side = { door, connection, sent: [], seen: [], closedMs: undefined, late: 0 }
    connection.onMessage(message => {
      const text = message.toString()
      if (side.seen.length === 0) first(text)
      if (side.closedMs !== undefined || door.isDead) side.late++
      side.seen.push(text)
      this.#tell(`${door.host} gets ${text}`)
    })
    connection.onClose(() => {
      if (side.closedMs !== undefined || door.isDead) side.late++
      side.closedMs = this.clock.monotonicMs()
      this.#tell(`${door.host} hears the end of ${side.sent[0] ?? side.seen[0]}`)
    })
    return side
  }

  #open(): Side[] {
    const sides = [...this.talks.map(talk => talk.near), ...this.#accepted.values()]
    const open = sides.filter(side => side.closedMs === undefined && !side.door.isDead)
    return open.length === 0 ? [must(sides[0] ?? this.#nobody(), 'a side')] : open
  }

  #nobody(): Side {
    const connection = { remote: '', send: () => false, onMessage() {}, onClose() {}, close() {} }
    return { door: this.#door('a'), connection, sent: [], seen: [], closedMs: 0, late: 0 }
  }

  #talk(): void {
    const side = this.random.pick(this.#open())
    for (let left = 1 + this.random.below(4); left > 0; left--) {
      const text = `message ${++this.#count}`
      if (side.connection.send(Buffer.from(text))) side.sent.push(text)
    }
  }

  #tell(what: string): void {
    this.story.push(`${this.clock.monotonicMs().toFixed(3)} ${what}`)
  }
}

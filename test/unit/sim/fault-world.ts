/**
 * Three machines under one seed that write files, write rows and send each other messages without a purpose,
 * while every fault that there is strikes at random. For what holds of the faults themselves: that each kind
 * happens and is counted, and that the same seed gives the same run.
 */
import { must } from '../../../src/base/assert.js'
import { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import type { Connection, Network } from '../../../src/env/network.js'
import { FaultCounts } from '../../../src/sim/fault-counts.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'

const hosts = ['a', 'b', 'c']
const often = { times: 10, chance: 0.5 }

export class FaultWorld {
  readonly faults = new FaultCounts()
  /** What was seen to happen, with its time. */
  readonly story: string[] = []
  readonly #clock = new SimClock(undefined, this.faults)
  readonly #random: Random
  readonly #network: SimNetwork
  readonly #machines: SimMachine[]

  constructor(seed: string) {
    const random = new Random(seed)
    const { faults } = this
    this.#random = random.split('world')
    const clock = this.#clock
    this.#network = new SimNetwork({ clock, random: random.split('network'), faults })
    this.#machines = hosts.map(host => {
      const chance = random.split(host)
      return new SimMachine({
        clock,
        random: chance,
        faults,
        wallSkewMs: chance.below(3) * 1000,
        clockRate: chance.pick([0.98, 1, 1.02]),
        network: { cables: this.#network, host },
      })
    })
    for (const machine of this.#machines) this.#live(machine)
  }

  async run(steps: number): Promise<void> {
    await this.#clock.run(async () => {
      for (let step = 0; step < steps; step++) {
        const machine = this.#random.pick(this.#machines)
        if (machine.disk.dead) this.#start(machine)
        else this.#random.pick(this.#faultsOf(machine))()
        await new Promise<void>(resolve => this.#clock.after(this.#random.below(300), resolve))
      }
    })
    this.story.push(JSON.stringify(this.faults), `${this.#clock.monotonicMs()} ${this.#clock.fired}`)
  }

  #start(machine: SimMachine): void {
    machine.restart()
    this.#live(machine)
  }

  #faultsOf(machine: SimMachine): (() => void)[] {
    const random = this.#random
    const { clock, disk, keyValue } = machine
    const crashMode = random.pick(['all', 'none', 'any'] as const)
    return [
      () => clock.stall(random.below(400), random.pick(['timers', 'poll', 'check'])),
      () => {
        clock.pause()
        this.#clock.after(random.below(10_000), () => clock.resume())
      },
      () => clock.jumpWall(random.below(10_000) - 5000),
      () => disk.arrange(random.pick(['failed-sync', 'lost-sync', 'misdirected-write', 'read-error']), often),
      () => disk.pace.setSlow([10, 100]),
      () => disk.pace.hang(path => path === 'f'),
      () => disk.setFull(true),
      () => disk.evict(),
      () => {
        const path = disk.rotAny(random)
        if (path !== undefined) disk.flip(path, random.below(1000))
      },
      () => disk.calm(),
      () => keyValue.failWrites(often),
      () => keyValue.pace.setSlow([10, 100]),
      () => keyValue.pace.hang(),
      () => void keyValue.flipAny(random),
      () => void keyValue.dropAny(random),
      () => void keyValue.dropSome(random),
      () => keyValue.loseCompactions(),
      () => keyValue.calm(),
      ...[1, 2, 3].map(() => () => disk.crash(crashMode)),
      () => disk.crashAt(1 + random.below(9), crashMode),
      () => (random.chance(0.3) ? machine.wipe() : undefined),
      ...this.#faultsOfNetwork(),
    ]
  }

  #faultsOfNetwork(): (() => void)[] {
    const network = this.#network
    const [one = '', other = '', third = ''] = [this.#random.pick(hosts), ...hosts]
    const two = one === other ? third : other
    return [
      () => network.cut(one, two),
      () => network.part([one], [two]),
      () => network.flap(one, two, { upMs: [100, 500], downMs: [50, 500] }),
      () => network.break(one, two),
      () => network.tearAt(one, two, 2),
      () => network.delay(one, two, [10, 500]),
      () => network.storm([5, 200]),
      () => network.refuse(one),
      () => network.calm(),
      () => network.calm(),
    ]
  }

  /** What a process does, until it is gone. */
  #live(machine: SimMachine): void {
    const { environment, network } = machine
    const host = must(hosts[this.#machines.indexOf(machine)], 'a host')
    environment.clock.wallMs()
    void this.#writeFiles(environment, host)
    void this.#writeRows(environment, host)
    void this.#talk(environment, network, host)
  }

  async #writeFiles({ disk, clock, random }: Environment, host: string): Promise<void> {
    for (let i = 0; ; i++) {
      try {
        const file = await disk.open('f', { create: true })
        await file.write([random.bytes(700)], random.below(64) * 512)
        if (i % 2 === 0) await file.sync()
        if (i % 3 === 0) await disk.syncFolder('')
        await file.read(0, 4000)
        await disk.open(`g${i % 5}`, { create: true })
        await disk.remove(`g${(i + 1) % 5}`)
      } catch (error) {
        this.#tell(`${host}: ${(error as { code: string }).code}`)
      }
      await sleep(clock, 20)
      clock.wallMs()
    }
  }

  async #writeRows({ keyValue, clock, random }: Environment, host: string): Promise<void> {
    let folder = 0
    for (;;) {
      try {
        const store = await keyValue.open(`s${folder++}`, { writeBufferBytes: 1000 })
        for (;;) {
          await sleep(clock, 20)
          const batch = store.batch()
          batch.put(random.bytes(1), random.bytes(9))
          await batch.write({ sync: random.chance(0.2) })
          if (random.chance(0.1)) await store.compact()
        }
      } catch (error) {
        this.#tell(`${host}: ${(error as { code: string }).code}`)
        await sleep(clock, 5)
      }
    }
  }

  async #talk({ clock, random }: Environment, network: Network, host: string): Promise<void> {
    const hear = (connection: Connection): void => {
      connection.onMessage(message => this.#tell(`${host} hears ${message}`))
      connection.onClose(() => this.#tell(`${host} hears an end`))
    }
    await network.listen(`${host}:1`, hear)
    for (let i = 0; ; ) {
      const to = random.pick(hosts)
      try {
        const connection = await network.connect(`${to}:1`)
        let isOpen = true
        hear(connection)
        connection.onClose(() => {
          isOpen = false
        })
        while (isOpen && random.chance(0.99)) {
          connection.send(Buffer.from(`${host}${to} ${++i}`))
          await sleep(clock, 20)
        }
        connection.close()
      } catch {
        await sleep(clock, 50)
      }
    }
  }

  #tell(what: string): void {
    this.story.push(`${this.#clock.monotonicMs().toFixed(3)} ${what}`)
  }
}

function sleep(clock: Environment['clock'], ms: number): Promise<void> {
  return new Promise(resolve => clock.after(ms, resolve, { idle: true }))
}

/**
 * Documents that move between groups, each written by one client, and looked up by index and by scan while
 * others write: who has written a document finds it where it is, once, and nowhere else.
 */
import type { Random } from '../../base/random.js'
import type { Store } from '../../store/store.js'
import { isUnknown, type Workload, type WorldClient } from './workload.js'

const collection = 'members'
const groups = ['a', 'b', 'c'] as const

type Member = { readonly id: string; readonly group: string; readonly turn: number }

/** Documents of one client as they are; undefined: gone. What became of others is not known any more. */
type Own = Map<string, Member | undefined>

/** So many clients, with so many documents each. */
export class Lookups implements Workload {
  readonly name = 'lookups'
  readonly clients: number
  readonly #each: number
  readonly #all: Own[] = []
  #turn = 0
  #looks = 0

  constructor({ clients = 2, each = 5 } = {}) {
    this.clients = clients
    this.#each = each
  }

  define(store: Store): Promise<void> {
    const indexes = { byGroup: { type: 'secondary', fields: ['group'] } } as const
    return store.define(collection, { key: 'id', indexes })
  }

  async client(world: WorldClient, number: number, random: Random): Promise<void> {
    const own: Own = new Map()
    this.#all.push(own)
    for (let next = 0; !world.isOver(); ) {
      await world.pause(random.below(500))
      if (random.chance(0.3)) {
        const group = random.chance(0.25) ? undefined : random.pick(groups)
        await world.ask(random, store => this.#look(store, own, group))
        continue
      }
      const ids = [...own.keys()]
      const id = ids.length < this.#each ? `m${number}.${++next}` : random.pick(ids)
      await this.#move(world, own, id, random)
      const group = own.get(id)?.group
      if (random.chance(0.5)) await world.ask(random, store => this.#look(store, own, group))
    }
  }

  async check(store: Store): Promise<number> {
    for (const own of this.#all)
      for (const group of [...groups, undefined]) await this.#look(store, own, group)
    return this.#looks
  }

  async #move(world: WorldClient, own: Own, id: string, random: Random): Promise<void> {
    const member = random.chance(0.2) ? undefined : { id, group: random.pick(groups), turn: ++this.#turn }
    const told = await world.ask(random, async store => {
      const members = store.collection<Member>(collection)
      if (member === undefined) await members.delete(id)
      else await members.put(member)
    })
    if (told.how === 'answered') own.set(id, member)
    // It may come later than others.
    else if (isUnknown(told)) own.delete(id)
  }

  async #look(store: Store, own: Own, group: string | undefined): Promise<void> {
    const members = store.collection<Member>(collection)
    const found = new Map<string, Member>()
    const where = group === undefined ? 'by a scan' : `in group ${group}`
    const query = group === undefined ? members.scan() : members.find('byGroup', { eq: [group] })
    for await (const member of query) {
      if (found.has(member.id)) throw new Error(`${member.id} was found twice ${where}`)
      if (group !== undefined && member.group !== group)
        throw new Error(`${member.id} of group ${member.group} was found ${where}`)
      found.set(member.id, member)
    }
    for (const [id, member] of own) {
      const expected = group === undefined || member?.group === group ? member : undefined
      const there = found.get(id)
      if (there?.turn === expected?.turn) continue
      throw new Error(`${id} was found ${where} as of turn ${there?.turn}, and not of ${expected?.turn}`)
    }
    this.#looks += 1
  }
}

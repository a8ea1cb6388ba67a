/**
 * The language of the transcripts: a story is a text of commands, each followed by `----` and by exactly what
 * it makes happen, then an empty line. Lines that begin with # tell the story.
 *
 *   group 3 [learners 4 5] [strangers 6] [option=value …]   voters 1 to 3; any option of the protocol
 *   lead n                                                  n is elected, without the details
 *   campaign | forget | tick [times] | status | log         of replica n: `2 campaign`
 *   propose text | read | lease | transfer to | unreachable member
 *   change simple|joint|explicit|leave [+4 ~5 -6] [if index]   add a voter, add a learner, remove
 *   store [all] | apply [count] | load [fails]              the disk, the state, a read of the log go on
 *   crash [stored count] | start [recovering] | lose after | compact keep | absent below
 *   deliver [to n] [type] | drop [to n] [type] | cut n … | heal | settle | ticks count   the whole group
 */
import { entryHeadBytes, entryKinds } from '../../src/base/entry.js'
import type { ChangeStep, ConfigurationChange } from '../../src/raft/configuration.js'
import { simpleConfiguration } from '../../src/raft/configuration.js'
import type { SimulatedNode } from '../sim/raft/node.js'
import { ToldGroup, tellStatus } from './told-group.js'

/** Runs the story; answers it with what really happened in the place of what it says. */
export function perform(story: string): string {
  const stage = new Stage()
  const blocks = story.trimEnd().split(/\n\n+/)
  return `${blocks.map(block => performBlock(stage, block)).join('\n\n')}\n`
}

function performBlock(stage: Stage, block: string): string {
  const lines = block.split('\n')
  const end = lines.indexOf('----')
  if (end === -1) {
    if (lines.every(line => line.startsWith('#'))) return block
    throw new Error(`no ---- after: ${block}`)
  }
  const head = lines.slice(0, end)
  const happened = head.filter(line => !line.startsWith('#')).flatMap(line => stage.command(line))
  return [...head, '----', ...(happened.length === 0 ? ['nothing happens'] : happened)].join('\n')
}

type Verb = (node: SimulatedNode, words: readonly string[]) => readonly string[] | undefined

class Stage {
  #group: ToldGroup | undefined

  get group(): ToldGroup {
    if (this.#group === undefined) throw new Error('a story begins with a group')
    return this.#group
  }

  command(line: string): readonly string[] {
    const [first = '', ...words] = line.split(' ')
    const said = /^\d+$/.test(first) ? this.#ofReplica(Number(first), words) : this.#ofGroup(first, words)
    for (const node of this.#group?.all ?? []) node.pump()
    return [...(said ?? []), ...this.group.take()]
  }

  #ofReplica(id: number, [verb = '', ...words]: readonly string[]): readonly string[] | undefined {
    const act = verbs[verb]
    if (act === undefined) throw new Error(`a replica does not ${verb}`)
    if (verb === 'crash') this.group.crash(this.group.node(id), Number(words[1] ?? 0))
    if (verb === 'read' || verb === 'lease') {
      const token = this.group.read(this.group.node(id), verb === 'read' ? 'round' : 'lease')
      return [token === undefined ? 'refused' : `read ${token}`]
    }
    return act(this.group.node(id), words)
  }

  #ofGroup(verb: string, words: readonly string[]): readonly string[] | undefined {
    if (verb === 'group') {
      this.#group = newGroup(words)
      return ['ready']
    }
    const { group } = this
    const [first] = words
    if (verb === 'lead') {
      group.node(Number(first)).alive.campaign()
      group.settle()
      const { role, term } = group.node(Number(first)).alive
      group.take()
      return [`${first} is ${role} in term ${term}`]
    }
    if (verb === 'settle') group.settle()
    else if (verb === 'ticks') group.tick(Number(first))
    else if (verb === 'heal') group.cut.clear()
    else if (verb === 'cut') {
      const side = words.map(Number)
      for (const from of group.nodes.keys()) {
        for (const to of group.nodes.keys())
          if (side.includes(from) !== side.includes(to)) group.cut.add(`${from}>${to}`)
      }
    } else if (verb === 'deliver' || verb === 'drop') {
      const to = first === 'to' ? Number(words[1]) : undefined
      const type = words.at(first === 'to' ? 2 : 0)
      const fits = () =>
        group.network.findIndex(one => (to ?? one.to) === one.to && (type ?? one.type) === one.type)
      for (let left = group.network.length; left > 0 && fits() >= 0; left--) group[verb](fits())
    } else throw new Error(`a group does not ${verb}`)
    return undefined
  }
}

const verbs: Record<string, Verb> = {
  campaign: node => (node.alive.campaign() ? undefined : ['it may not']),
  forget: node => void node.alive.forgetLeader(),
  tick: (node, [times = '1']) => {
    for (let i = 0; i < Number(times); i++) node.alive.tick()
    return undefined
  },
  status: node => tellStatus(node.alive.status()),
  log: ({ storage }) => {
    const entries: string[] = []
    for (let at = storage.firstIndex; at <= storage.lastIndex; at++) entries.push(`${at}/${storage.term(at)}`)
    return [entries.length === 0 ? 'empty' : entries.join(' ')]
  },
  propose: (node, words) => {
    const proposed = node.alive.propose(
      Buffer.from(`${'\0'.repeat(entryHeadBytes)}${words.join(' ')}`),
      entryKinds.facts,
    )
    return [
      'dropped' in proposed ? `dropped: ${proposed.dropped}` : `entry ${proposed.index}/${proposed.term}`,
    ]
  },
  change: (node, words) => {
    const at = words.indexOf('if')
    const ifIndex = at === -1 ? undefined : Number(words[at + 1])
    const proposed = node.alive.proposeConfiguration(
      changeOf(words.slice(0, at === -1 ? undefined : at)),
      ifIndex,
    )
    if ('dropped' in proposed) return [`dropped: ${proposed.dropped}, ${proposed.reason}`]
    return [`entry ${proposed.index}/${proposed.term}`]
  },
  read: () => undefined,
  lease: () => undefined,
  transfer: (node, [to]) => void node.alive.transferLeader(Number(to)),
  unreachable: (node, [member]) => void node.alive.reportUnreachable(Number(member)),
  store: (node, [all]) => {
    do node.storeOne()
    while (all !== undefined && node.appends.length > 0)
    return undefined
  },
  apply: (node, [count = '1000']) => void node.applySome(Number(count)),
  load: (node, [fails]) => void node.loadOne(fails !== undefined),
  crash: () => undefined,
  start: (node, [recovering]) => {
    node.recovering = recovering !== undefined
    node.start()
    return undefined
  },
  lose: (node, [after]) => {
    node.storage.lose(Number(after))
    node.applied = Math.min(node.applied, Number(after))
    return undefined
  },
  compact: (node, [keep]) => void node.compact(Number(keep)),
  absent: (node, [below]) => {
    node.storage.absentBelow = Number(below)
    return undefined
  },
}

function changeOf([type = '', ...words]: readonly string[]): ConfigurationChange {
  const signs: Record<string, ChangeStep['type']> = { '+': 'addVoter', '~': 'addLearner', '-': 'remove' }
  const steps = words.map((word): ChangeStep => {
    const step = signs[word.charAt(0)]
    if (step === undefined) throw new Error(`no step: ${word}`)
    return { type: step, replica: Number(word.slice(1)) }
  })
  if (type === 'leave') return { type }
  if (type === 'simple' || type === 'joint') return { type, steps }
  if (type === 'explicit') return { type: 'jointExplicit', steps }
  throw new Error(`no change: ${type}`)
}

function newGroup(words: readonly string[]): ToldGroup {
  const ids: Record<string, number[]> = { voters: [], learners: [], strangers: [] }
  const options: Record<string, unknown> = {}
  let list = 'voters'
  for (const word of words) {
    const [name = '', value] = word.split('=')
    if (value !== undefined) options[name] = JSON.parse(value)
    else if (word in ids) list = word
    else ids[list]?.push(Number(word))
  }
  const { voters = [], learners = [], strangers = [] } = ids
  const all = Array.from({ length: voters[0] ?? 0 }, (_, place) => place + 1)
  // No two draws are alike, so no two are equally patient; the first is the least.
  let draws = 0
  const random = { below: (limit: number) => draws++ % limit }
  return new ToldGroup([...all, ...learners, ...strangers], simpleConfiguration(all, learners), {
    ...options,
    random,
  })
}

/**
 * The language of the transcripts: a story is a text of commands, each followed by `----` and by exactly what
 * it makes happen, then an empty line. Lines that begin with # tell the story.
 *
 *   group 3 [learners 4 5] [strangers 6] [option=value …]   voters 1 to 3; any option of the protocol
 *   lead n                                                  n is elected, without the details
 *   elect n among 2 3                                       asks only these; what it sends then is on its way
 *   campaign | forget | tick [times] | status | log         of replica n: `2 campaign`
 *   propose text | read | lease | transfer to | unreachable member
 *   change simple|joint|explicit|leave [+4 ~5 -6] [if index]   add a voter, add a learner, remove
 *   store [all] | apply [count] | load [fails]              the disk, the state, a read of the log go on
 *   store unheard                                           the disk has it; others hear of it, n not yet
 *   hear [again]                                            n hears of the oldest such, `again`: and keeps it
 *   crash [stored count] | start [recovering] | lose after | compact keep | absent below
 *
 * `1 propose a & propose b & read`: all that in one turn of replica 1. Of the whole group:
 *
 *   deliver [to n] [type] | drop [to n] [type]              all messages on their way that fit
 *   repeat [to n] [type]                                    they arrive, and are on their way still
 *   hold [to n] [type] | release                            they take longer than all others; no longer
 *   cut 1 2 | cut 1 > 2 3 | cut 1 - 2 3 | heal              from all others; what 1 says to these; both ways
 *   settle | ticks count | pass count                       `pass`: told are only changes of roles
 *
 * A snapshot that is delivered or dropped is reported to its sender, as whoever carries it does.
 */
import { entryHeadBytes, entryKinds } from '../../src/base/entry.js'
import type { ChangeStep, ConfigurationChange } from '../../src/raft/configuration.js'
import { simpleConfiguration } from '../../src/raft/configuration.js'
import type { PeerMessage } from '../../src/raft/messages.js'
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
  /** Messages that take longer than all others. */
  #held: PeerMessage[] = []

  get group(): ToldGroup {
    if (this.#group === undefined) throw new Error('a story begins with a group')
    return this.#group
  }

  command(line: string): readonly string[] {
    const [first = '', ...words] = line.split(' ')
    const said = /^\d+$/.test(first) ? this.#turnOf(Number(first), words) : this.#ofGroup(first, words)
    for (const node of this.#group?.all ?? []) node.pump()
    return [...(said ?? []), ...this.group.take()]
  }

  /** What happens in one turn leaves with one Ready. */
  #turnOf(id: number, words: readonly string[]): readonly string[] {
    const acts = words.join(' ').split(' & ')
    return acts.flatMap(act => this.#ofReplica(id, act.split(' ')) ?? [])
  }

  #ofReplica(id: number, [verb = '', ...words]: readonly string[]): readonly string[] | undefined {
    const act = verbs[verb]
    if (act === undefined) throw new Error(`a replica does not ${verb}`)
    if (verb === 'crash') {
      this.group.crash(this.group.node(id), Number(words[1] ?? 0))
    }
    if (verb === 'read' || verb === 'lease') {
      const token = this.group.ask(this.group.node(id), verb === 'read' ? 'round' : 'lease')
      return [token === undefined ? 'refused' : `read ${token}`]
    }
    return act(this.group.node(id), words)
  }

  #ofGroup(verb: string, words: readonly string[]): readonly string[] | undefined {
    if (verb === 'group') {
      this.#group = newGroup(words)
      this.#held = []
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
    if (verb === 'elect') return elect(group, group.node(Number(first)), words.slice(2).map(Number))
    if (verb === 'settle') group.settle()
    else if (verb === 'ticks') group.tick(Number(first))
    else if (verb === 'pass') {
      group.tick(Number(first))
      return group.take().filter(line => / is (follower|preCandidate|candidate|leader) in term /.test(line))
    } else if (verb === 'heal') group.cut.clear()
    else if (verb === 'cut') cut(group, words)
    else if (verb === 'release') group.network.push(...this.#held.splice(0))
    else this.#ofMessages(verb, words)
    return undefined
  }

  #ofMessages(verb: string, words: readonly string[]): void {
    const { group } = this
    const to = words[0] === 'to' ? Number(words[1]) : undefined
    const type = words.at(words[0] === 'to' ? 2 : 0)
    const fits = (one: PeerMessage) => (to ?? one.to) === one.to && (type ?? one.type) === one.type
    if (verb === 'hold') {
      this.#held.push(...group.network.filter(fits))
      group.network = group.network.filter(one => !fits(one))
    } else if (verb === 'repeat') {
      for (const one of group.network.filter(fits)) group.deliver(group.network.indexOf(one), true)
    } else if (verb === 'deliver' || verb === 'drop') {
      for (let left = group.network.length; left > 0 && group.network.some(fits); left--)
        group[verb](group.network.findIndex(fits))
    } else throw new Error(`a group does not ${verb}`)
  }
}

/** What was on its way before is lost; nobody's disk but theirs goes on. */
function elect(group: ToldGroup, node: SimulatedNode, asked: readonly number[]): readonly string[] {
  const arrive = () => {
    for (let left = group.network.length; left > 0; left--) group.deliver(0)
  }
  const store = (one: SimulatedNode) => {
    while (one.appends.length > 0) one.storeOne()
  }
  group.network = []
  node.alive.campaign()
  node.pump()
  group.network = group.network.filter(one => asked.includes(one.to))
  arrive()
  for (const id of asked) store(group.node(id))
  store(node)
  arrive()
  group.take()
  return [`${node.id} is ${node.alive.role} in term ${node.alive.term}`]
}

/** `1 2`: those from all others; `1 > 2 3`: what those say to these; `1 - 2 3`: both ways between them. */
function cut(group: ToldGroup, words: readonly string[]): void {
  const sign = words.findIndex(word => word === '>' || word === '-')
  const side = words.slice(0, sign === -1 ? undefined : sign).map(Number)
  const others = [...group.nodes.keys()].filter(id => !side.includes(id))
  for (const from of side) {
    for (const to of sign === -1 ? others : words.slice(sign + 1).map(Number)) {
      group.cut.add(`${from}>${to}`)
      if (words[sign] !== '>') group.cut.add(`${to}>${from}`)
    }
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
  store: (node, [how]) => {
    if (how === 'unheard') node.storeUnheard()
    else {
      do node.storeOne()
      while (how === 'all' && node.appends.length > 0)
    }
    return undefined
  },
  hear: (node, [again]) => {
    if (node.unheard.length === 0) throw new Error(`replica ${node.id} has heard everything`)
    node.hear(again !== undefined)
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

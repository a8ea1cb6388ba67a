/** Which check it was that a cluster failed by. */

const kinds: readonly (readonly [said: RegExp, kind: string])[] = [
  [/: sign-ups.*(byCity|search for)/, 'indexes'],
  [/: registers/, 'linearizability'],
  [/: sign-ups/, 'unique claims'],
  [/: counters/, 'exactly-once'],
  [/does not come to rest|are not served|are not defined|does not close/, 'convergence'],
  [
    /two logs differ|two segments|groups differ|two states differ|digests do not fit|they have applied/,
    'agreement',
  ],
  [/segments hold all/, 'agreement'],
  [/lead partition|went back from|hold different rows/, 'watcher'],
  [/an alarm/, 'alarm'],
  [/does not end in/, 'hangs'],
  [/its process ended/, 'process dies'],
]

/** The name of the check; what no check of the world said is an invariant of the node. */
export function kindOf(message: string): string {
  const workload = /: (transfers|imports|feeds|subscribers|sessions|outcomes|lookups|races)[ ,]/.exec(message)
  return workload?.[1] ?? kinds.find(([said]) => said.test(message))?.[1] ?? 'invariant'
}

/** The message without what differs from world to world. */
export function firstLine(message: string): string {
  const [line = ''] = message.replace(/^seed \S+, at \S+ ms: /, '').split('\n')
  return line.length > 140 ? `${line.slice(0, 137)}...` : line
}

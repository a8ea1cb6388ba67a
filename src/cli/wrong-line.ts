/** What the parser of the command line says, as it is told: the verb it knew, options with their dashes. */
import { nearName } from './near-name.js'
import { UsageError } from './usage.js'
import { unshield } from './words.js'

const parserSays = {
  unknown: /^Unknown arguments?: (.*)$/,
  noValue: /^Not enough arguments following: (.*)$/,
  fewWords: /^Not enough non-option arguments: /,
}

/** A command line that the parser refused. */
export interface RefusedLine {
  /** What the parser says. */
  readonly message: string
  /** The verb and its words, as parsed. */
  readonly positionals: readonly (string | number)[]
  /** All words, as given. */
  readonly words: readonly string[]
  /** What is known of each verb: `get <collection> <value..>`. */
  readonly usages: readonly string[]
}

/** The error to be told. */
export function wrongLine({ message, positionals, words, usages }: RefusedLine): UsageError {
  const [verb] = positionals.map(word => unshield(String(word)))
  const verbs = usages.map(verbOf)
  if (verb !== undefined && !verbs.includes(verb)) {
    const meant = nearName(verb, verbs)
    const question = meant === undefined ? '' : `; did you mean ${meant}?`
    return new UsageError(`no verb ${JSON.stringify(verb)}${question}`)
  }
  const usage = usages.find(known => verbOf(known) === verb)
  if (usage !== undefined && parserSays.fewWords.test(message))
    return new UsageError(`a word is missing: sillok ${usage}`)
  const noValue = parserSays.noValue.exec(message)?.[1]
  if (noValue !== undefined) return new UsageError(`a value is missing after --${noValue}`)
  const unknown = parserSays.unknown.exec(message)?.[1]
  if (unknown === undefined) return new UsageError(unshield(message))
  const told = unknown.split(', ').flatMap(name => toldOf(unshield(name), words))
  return new UsageError(`not known here: ${[...new Set(told)].join(', ')}`)
}

/** The verb of a usage. */
export function verbOf(usage: string): string {
  return usage.split(' ')[0] ?? ''
}

/** The word as it was given; nothing for the second spelling that the parser gives to an option. */
function toldOf(name: string, words: readonly string[]): string[] {
  const forms = [`--${name}`, `--no-${name}`, `-${name}`, name]
  const given = forms.find(form => words.some(word => word === form || word.startsWith(`${form}=`)))
  if (given !== undefined) return [given]
  return /[A-Z]/.test(name) ? [] : [name]
}

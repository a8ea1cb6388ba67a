/**
 * The command line: what its verbs share, and how the process ends. No logic of the store.
 *
 * Results go to standard output, everything else to standard error; the exit code says how it ended
 * (`failure.ts`).
 */
import yargs, { type Argv } from 'yargs'
import { assert } from '../base/assert.js'
import type { Arguments, Command, Terminal } from './command.js'
import { complete, wordsToComplete } from './completion.js'
import { exitCodeOf, exitCodes, failureJson, failureText } from './failure.js'
import { chooseFormat, outputFormats, type Sink, streamSink } from './output.js'
import { releaseVersion } from './release.js'
import { ofAll } from './verb-promises.js'
import { type Verb, verbs } from './verbs.js'
import { shieldDashes } from './words.js'
import { verbOf, wrongLine } from './wrong-line.js'

const usages = verbs.map(({ usage }) => usage)

/**
 * Carries out one command line (without node and script) and answers the exit code. Never throws, never ends
 * the process: what failed was written to standard error.
 */
export async function run(
  words: readonly string[],
  out: Sink = streamSink(process.stdout),
  err: Sink = streamSink(process.stderr, false),
): Promise<number> {
  let chosen: { command: Command; given: Arguments } | undefined
  let verb: string | undefined
  try {
    const [release, loaded] = await Promise.all([releaseVersion(), loadNamed(words)])
    const asked = wordsToComplete(words)
    if (asked !== undefined) {
      const parser = (found: (given: Arguments) => void) =>
        declare(release, loaded, (_verb, given) => found(given))
      await complete(asked, usages.map(verbOf), parser, out)
      return exitCodes.ok
    }
    let help = ''
    const parser = declare(release, loaded, (command, given) => {
      chosen = { command, given }
    })
    await parser.parseAsync(shieldDashes(words), {}, (failure, given, text) => {
      verb = usages.map(verbOf).find(name => name === given._[0])
      if (failure) throw wrongLine({ message: failure.message, positionals: given._, words, usages })
      help = text
    })
    let exit: number = exitCodes.ok
    if (help !== '') await out.write(`${help}\n`)
    else if (chosen !== undefined) {
      exit = await chosen.command.run(chosen.given, terminalFor(chosen.given, out, err))
    }
    await out.written?.()
    return exit
  } catch (error) {
    const isForPrograms = !err.isTerminal && wantsJson(chosen?.given)
    const help = verb === undefined ? 'sillok --help lists the verbs' : `sillok ${verb} --help`
    await err.write(isForPrograms ? `${failureJson(error)}\n` : failureText(error, help))
    return exitCodeOf(error)
  }
}

function terminalFor(given: Arguments, out: Sink, err: Sink): Terminal {
  const asked = given['output']
  return { out, err, format: chooseFormat(typeof asked === 'string' ? asked : undefined, out) }
}

function wantsJson(given: Arguments | undefined): boolean {
  return given?.['output'] === 'json' || given?.['output'] === 'ndjson'
}

/**
 * Loads the verbs that stand among the words: the parser can choose no other. It asks the chosen one at once
 * what it takes, so the module must be there before.
 */
async function loadNamed(words: readonly string[]): Promise<ReadonlyMap<Verb, Command>> {
  const named = verbs.filter(({ usage }) => words.includes(verbOf(usage)))
  return new Map(await Promise.all(named.map(async verb => [verb, (await verb.load()).command] as const)))
}

function declare(
  release: string,
  loaded: ReadonlyMap<Verb, Command>,
  choose: (command: Command, given: Arguments) => void,
): Argv {
  let parser = yargs()
    .scriptName('sillok')
    .locale('en')
    .usage('$0 <verb>')
    .option('output', {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      describe: `form of the result: ${outputFormats.join(', ')} (table on a terminal, ndjson elsewhere)`,
    })
    .version(release)
    .help()
    .alias('help', 'h')
    .strict()
    .demandCommand(1, 'name a verb')
    .exitProcess(false)
    .wrap(100)
    .epilogue(ofAll)
  for (const verb of verbs) {
    const command = (): Command => {
      const found = loaded.get(verb)
      assert(found !== undefined, () => `loaded: ${verb.usage}`)
      return found
    }
    parser = parser.command(
      verb.usage,
      verb.summary,
      builder => command().declare(builder),
      given => choose(command(), given),
    )
  }
  return parser
}

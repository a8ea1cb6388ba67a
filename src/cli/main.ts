/**
 * The command line: which verbs there are, what they share, and how the process ends. No logic of the store.
 *
 * Results go to standard output, everything else to standard error; the exit code says how it ended
 * (`failure.ts`).
 */
import yargs, { type Argv } from 'yargs'
import type { Arguments, Command, Terminal } from './command.js'
import { releaseVersion } from './commands/version.js'
import { complete, wordsToComplete } from './completion.js'
import { exitCodeOf, exitCodes, failureJson, failureText } from './failure.js'
import { chooseFormat, outputFormats, type Sink, streamSink } from './output.js'
import { ofAll } from './verb-promises.js'
import { shieldDashes } from './words.js'
import { verbOf, wrongLine } from './wrong-line.js'

/** The verbs, in the order in which the help lists them: a line for each. */
const commands: readonly { readonly command: Command }[] = await Promise.all([
  import('./commands/define.js'),
  import('./commands/import.js'),
  import('./commands/export.js'),
  import('./commands/put.js'),
  import('./commands/get.js'),
  import('./commands/delete.js'),
  import('./commands/scan.js'),
  import('./commands/count.js'),
  import('./commands/find.js'),
  import('./commands/search.js'),
  import('./commands/tail.js'),
  import('./commands/indexes.js'),
  import('./commands/rebuild.js'),
  import('./commands/constraints.js'),
  import('./commands/status.js'),
  import('./commands/digest.js'),
  import('./commands/verify.js'),
  import('./commands/inspect.js'),
  import('./commands/demo.js'),
  import('./commands/bench.js'),
  import('./commands/completion.js'),
  import('./commands/version.js'),
])

const usages = commands.map(({ command }) => command.usage)

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
    const asked = wordsToComplete(words)
    if (asked !== undefined) {
      const release = await releaseVersion()
      const parser = (found: (given: Arguments) => void) => declare(release, (_verb, given) => found(given))
      await complete(asked, usages.map(verbOf), parser, out)
      return exitCodes.ok
    }
    let help = ''
    const parser = declare(await releaseVersion(), (command, given) => {
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

function declare(release: string, choose: (command: Command, given: Arguments) => void): Argv {
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
  for (const { command } of commands) {
    parser = parser.command(
      command.usage,
      command.summary,
      builder => command.declare(builder),
      given => choose(command, given),
    )
  }
  return parser
}

/**
 * The verbs of the command line, in the order in which the help lists them: what it says of each, and where
 * its module is.
 *
 * Nobody waits for what is not asked for: a module is loaded for a line that names its verb, and itself loads
 * the store, or a part of it, when the verb runs, not for its help or its completion.
 */
import type { Command } from './command.js'

/** What is known of a verb before its module is loaded. */
export interface Verb {
  /** The verb and its positional arguments, as yargs writes them: `get <collection> <key>`. */
  readonly usage: string
  /** One line for `--help`. */
  readonly summary: string
  /** Loads the verb's file in `commands/`. */
  load(): Promise<{ readonly command: Command }>
}

/** All of them. */
export const verbs: readonly Verb[] = [
  {
    usage: 'define <name> [file]',
    summary: 'create a collection from its definition (JSON), or change it; without a definition, print it',
    load: () => import('./commands/define.js'),
  },
  {
    usage: 'import <collection> <file>',
    summary: 'insert the documents of a file: NDJSON, one JSON array or CSV; resumable, exactly once',
    load: () => import('./commands/import.js'),
  },
  {
    usage: 'export <collection>',
    summary: 'write all documents as NDJSON, which import takes',
    load: () => import('./commands/export.js'),
  },
  {
    usage: 'put <collection> [json]',
    summary: 'write a document: JSON, or - for standard input',
    load: () => import('./commands/put.js'),
  },
  {
    usage: 'get <collection> <value..>',
    summary: 'print a document, by key or with --by by a unique value',
    load: () => import('./commands/get.js'),
  },
  {
    usage: 'delete <collection> <key>',
    summary: 'remove a document',
    load: () => import('./commands/delete.js'),
  },
  {
    usage: 'scan <collection>',
    summary: 'print the documents of a range of keys',
    load: () => import('./commands/scan.js'),
  },
  {
    usage: 'count <collection>',
    summary: 'print how many documents there are, or in a range of keys',
    load: () => import('./commands/count.js'),
  },
  {
    usage: 'find <collection> <index>',
    summary: 'print the documents that a secondary index answers with',
    load: () => import('./commands/find.js'),
  },
  {
    usage: 'search <collection> <index> <text>',
    summary: 'print the documents that a search index finds, the best first',
    load: () => import('./commands/search.js'),
  },
  {
    usage: 'tail [collection]',
    summary: 'print the changes of documents, in the order of the log',
    load: () => import('./commands/tail.js'),
  },
  {
    usage: 'indexes',
    summary: 'print the derived indexes, and how far each is, or the documents that they put aside',
    load: () => import('./commands/indexes.js'),
  },
  {
    usage: 'rebuild <collection> <index>',
    summary: 'make an index again from the documents, and wait until it is built',
    load: () => import('./commands/rebuild.js'),
  },
  {
    usage: 'constraints [collection]',
    summary: 'print the unique constraints, how far each is, and what violates it',
    load: () => import('./commands/constraints.js'),
  },
  {
    usage: 'status',
    summary: 'print what the store is and holds',
    load: () => import('./commands/status.js'),
  },
  {
    usage: 'digest',
    summary: 'print a digest of all documents and versions, to compare copies of a store',
    load: () => import('./commands/digest.js'),
  },
  {
    usage: 'verify',
    summary: 'read every byte of a closed store and name what is wrong',
    load: () => import('./commands/verify.js'),
  },
  {
    usage: 'inspect <what> [collection]',
    summary: 'look into a closed store: wal, segments, entries, sessions, claims',
    load: () => import('./commands/inspect.js'),
  },
  {
    usage: 'demo',
    summary: 'import 171,075 places under kill -9, and check that nothing is lost or done twice',
    load: () => import('./commands/demo.js'),
  },
  {
    usage: 'bench [workload..]',
    summary: 'measure: put, insert-unique, get, overwrite, raw-sync',
    load: () => import('./commands/bench.js'),
  },
  {
    usage: 'completion [shell]',
    summary: 'print the script by which bash or zsh completes verbs, options and names',
    load: () => import('./commands/completion.js'),
  },
  {
    usage: 'version',
    summary: 'print the release, the format level and the platform',
    load: () => import('./commands/version.js'),
  },
]

/** A command line that cannot be carried out as it stands: nothing was done, and no store was opened. */

/** The command line is wrong; the message says what would be right. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What became of a call, in one word. */

/** The code of the error, or `done`. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'done'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

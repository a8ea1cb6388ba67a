/** How tests of decoders see that bytes are refused. */
import { isSillokError } from '../../src/base/errors.js'

/** A function that tells the code of the refusal; undefined if the bytes are taken. Other errors come out. */
export function refusalBy(decode: (bytes: Buffer) => unknown): (bytes: Buffer) => string | undefined {
  return bytes => {
    try {
      decode(bytes)
      return undefined
    } catch (error) {
      if (isSillokError(error)) return error.code
      throw error
    }
  }
}

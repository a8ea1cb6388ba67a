/** A command of the store's own, as a promise. */
import { SillokError } from '../base/errors.js'
import type { Command } from '../machine/command.js'
import { type Done, errorOf } from '../machine/reply.js'
import type { Ticket } from './admission.js'
import type { Asker } from './waiters.js'

/** What such a command weighs against the limit of waiting bytes. */
const bytes = 256

/**
 * Submits the command and resolves with its reply, or rejects with its refusal. Once `isForgotten` says so
 * nobody waits: it is not begun any more.
 */
export function call(
  submit: (ticket: Ticket) => void,
  command: Command,
  sender: object,
  isForgotten: () => boolean = () => false,
): Promise<Done> {
  return new Promise((resolve, reject) => {
    const answer: Asker['answer'] = result => {
      if (result instanceof SillokError) reject(result)
      else if (result.ok) resolve(result)
      else reject(errorOf(result))
    }
    submit({
      command,
      sender,
      bytes,
      answer,
      get isForgotten() {
        return isForgotten()
      },
    })
  })
}

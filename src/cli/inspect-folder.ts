/** Looks into a closed store in a folder of the real disk. */
import { realEnvironment } from '../env/real-environment.js'
import { type Inspection, inspectStore } from '../replica/inspect.js'

/** What `look` answers; it may read until it resolves. Rejects as `inspectStore` does. */
export async function inspectFolder<T>(
  folder: string,
  look: (inspection: Inspection) => Promise<T>,
): Promise<T> {
  const env = realEnvironment()
  try {
    return await inspectStore(env, folder, look)
  } finally {
    await env.disk.close()
  }
}

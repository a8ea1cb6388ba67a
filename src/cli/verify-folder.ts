/** Verifies a closed store in a folder of the real disk; copies go to the system's temporary folder. */
import { realEnvironment } from '../env/real-environment.js'
import { type VerifyReport, verifyStore } from '../replica/verify.js'
import { IndexTypes } from '../store/index-types.js'
import { inTemporaryFolder } from './temporary-folder.js'

/** What is wrong with the store. Rejects as `verifyStore` does. */
export async function verifyFolder(folder: string): Promise<VerifyReport> {
  const env = realEnvironment()
  const indexTypes = new IndexTypes().byName
  return await inTemporaryFolder('sillok-verify-', false, async scratch => {
    try {
      return await verifyStore({ env, folder, scratch, indexTypes })
    } finally {
      await env.disk.close()
    }
  })
}

/**
 * What `suite.ts` loads into each test process before all else: it turns off two services of tap that cost
 * more than most tests. A run without it gives the same results, later; should tap change its inside, the
 * cost is back, no more.
 *
 * - The record of which process loaded which files, for coverage and `--changed`, which are not used here. To
 *   make it, tap reads and parses the source map of every module, with a thread of its own.
 * - The watch over every promise, by which tap knows the test that an error nobody caught belongs to. Without
 *   it, such an error fails the last declared test that has not ended; its stack says where it comes from.
 */
import asyncHooks, { type AsyncHook } from 'node:async_hooks'
import module, { syncBuiltinESMExports } from 'node:module'

const ownOptions = 'SILLOK_TEST_NODE_OPTIONS'

const isRecorder = (specifier: string | URL): boolean => String(specifier).includes('@tapjs/processinfo/')

// Node before 24.13: the recorder would go to a thread that every import asks.
const { register } = module
const registerOthers = (...given: Parameters<typeof register>): void => {
  if (!isRecorder(given[0])) register(...given)
}
Object.assign(module, { register: registerOthers })

// Node from 24.13 on: the recorder sees each import here, and leaves out what this matches.
process.env['_TAPJS_PROCESSINFO_EXCLUDE_'] = '/^/'

// The record itself: one that is there is not made, not passed on to children, not written at the end.
Object.assign(globalThis, {
  [Symbol.for('@tapjs/processinfo.ProcessInfoNodeData')]: { files: [], sources: {} },
})

// One place for all tests to be in: the last one declared is in charge, and after it the one around it.
const noHook: AsyncHook = { enable: () => noHook, disable: () => noHook }
Object.assign(asyncHooks, { createHook: () => noHook, executionAsyncId: () => 1 })
syncBuiltinESMExports()

// What a test starts is started without any of this: with the options that the suite was started with.
const own = process.env[ownOptions] ?? ''
delete process.env[ownOptions]
delete process.env['NODE_OPTIONS']
if (own !== '') process.env['NODE_OPTIONS'] = own

/**
 * What `suite.ts` loads into each test process before all else: it turns off tap's record of which process
 * loaded which files. That serves coverage and `--changed`, which this project does not use, and to make it
 * tap reads and parses the source map of every module, with a thread of its own.
 *
 * A test run without it gives the same results. Should tap change its inside, the record is back, no more.
 */
import module from 'node:module'

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

// What a test starts is started without any of this: with the options that the suite was started with.
const own = process.env[ownOptions] ?? ''
delete process.env[ownOptions]
delete process.env['NODE_OPTIONS']
if (own !== '') process.env['NODE_OPTIONS'] = own

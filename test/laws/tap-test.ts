/** Laws as tests of tap. */
import t from 'tap'
import type { TestFunction } from '../../src/testing/law.js'

/** Registers laws of one implementation, under its name. */
export function tapTest(name: string): TestFunction {
  return (title, run) => t.test(`${name}: ${title}`, run)
}

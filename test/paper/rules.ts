/** All rules. */
import { elections } from './elections.js'
import { membership } from './membership.js'
import { reading } from './reading.js'
import { replication } from './replication.js'
import type { Rule } from './rule.js'

/** The rules, in the order of the paper. */
export const rules: readonly Rule[] = [...elections, ...replication, ...membership, ...reading]

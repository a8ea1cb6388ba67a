/** A rule of the Raft paper or of the thesis, and how it shows. */
export interface Rule {
  /** The rule, as a law. */
  readonly rule: string
  /** Where it is from. */
  readonly source: string
  /** Throws if it does not hold. */
  readonly show: () => void
}

/** Makes a rule. */
export function rule(source: string, law: string, show: () => void): Rule {
  return { rule: law, source, show }
}

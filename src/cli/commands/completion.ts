/** `sillok completion`: the script that makes a shell complete verbs, options and names. */
import type { Command } from '../command.js'
import { exitCodes } from '../failure.js'
import { UsageError } from '../usage.js'
import { textOf } from '../words.js'

/** SHELL says to the parser in which form completions are wanted. */
const scripts: Readonly<Record<string, string>> = {
  bash: `# sillok in bash: put this into ~/.bashrc
#   source <(sillok completion bash)
_sillok() {
  local IFS=$'\\n'
  COMPREPLY=($(SHELL=bash sillok --get-yargs-completions "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _sillok sillok
`,
  zsh: `#compdef sillok
# sillok in zsh: put this into ~/.zshrc, after compinit
#   source <(sillok completion zsh)
_sillok() {
  local -a found
  found=("\${(@f)$(SHELL=zsh sillok --get-yargs-completions "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then
    _describe sillok found
  else
    _files
  fi
}
compdef _sillok sillok
`,
}

/** Prints the script, whatever the form of results. */
export const command: Command = {
  declare: yargs =>
    yargs
      .positional('shell', { type: 'string', describe: 'bash or zsh (the one that SHELL names, else bash)' })
      .example('source <($0 completion bash)', ''),
  async run(given, terminal) {
    const shell = textOf(given, 'shell') ?? (/zsh$/.test(process.env['SHELL'] ?? '') ? 'zsh' : 'bash')
    const script = scripts[shell]
    if (script === undefined) throw new UsageError(`completion knows bash and zsh, not ${shell}`)
    await terminal.out.write(script)
    return exitCodes.ok
  },
}

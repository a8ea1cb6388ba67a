/** Only the rules that need types, which biome does not have, and the length of functions. Biome does the rest. */
import tseslint from 'typescript-eslint'

/** tap waits for a subtest that was only started: what `t.test(...)` returns need not be awaited. */
const subtest = { from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.tap/**'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafePromises: [subtest] }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'max-lines-per-function': ['error', { max: 60, skipComments: true, IIFEs: true }] },
  },
)

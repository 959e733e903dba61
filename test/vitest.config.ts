import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const root = fileURLToPath(new URL('..', import.meta.url))

// Two shared cores: few forks, generous timeouts; no test asserts a time.
const shared = { testTimeout: 60_000, hookTimeout: 120_000 }

export default defineConfig({
  root,
  test: {
    ...shared,
    pool: 'forks',
    maxWorkers: 2,
    execArgv: ['--expose-gc'],
    // Official builds of ONNX Runtime report to their maker unless told not to before they start.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    globalSetup: ['test/global-setup.ts'],
    include: ['test/**/*.test.ts'],
    exclude: ['test/clients/**', '**/node_modules/**'],
  },
})

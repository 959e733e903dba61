import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { buildServer, ROOT } from './child.ts'

const folder = join(ROOT, 'infra/sagemaker')
const templates = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
const BIN = join(ROOT, '.cache/sagemaker/venv/bin')
const missing = !existsSync(join(BIN, 'hadolint'))
if (missing) {
  console.log(
    'skipped: files of SageMaker are not linted, run test/targets/tools/sagemaker.sh first',
  )
}
const lint = (tool: string, ...files: readonly string[]): string =>
  execFileSync(join(BIN, tool), files, { cwd: folder, encoding: 'utf8' })

beforeAll(buildServer)

test.skipIf(missing)('templates and image pass their linters', { timeout: 120_000 }, () => {
  expect(templates.length).toBeGreaterThanOrEqual(3)
  expect(lint('cfn-lint', ...templates)).toBe('')
  expect(lint('hadolint', 'Dockerfile')).toBe('')
})

test('the image’s command is what the build makes, and runs by itself', () => {
  const image = readFileSync(join(folder, 'Dockerfile'), 'utf8')
  const [, file = ''] = /"\.\.\/(dist\/server\/[^"]+)", "[^"]+\/bin\/serve"/.exec(image) ?? []
  expect(() => execFileSync(join(ROOT, file), { stdio: 'pipe', env: process.env })).toThrow(
    /ERROR: No model found in model repository/,
  )
})

test('templates set no variable that serve does not read', () => {
  const known = ['serve-arguments.ts', '../cli/cloud-options.ts']
    .map((file) => readFileSync(join(ROOT, 'adapters/sagemaker', file), 'utf8'))
    .join('\n')
  for (const name of templates) {
    const text = readFileSync(join(folder, name), 'utf8')
    for (const [variable] of text.matchAll(/SAGEMAKER_[A-Z_]+/g)) expect(known).toContain(variable)
  }
})

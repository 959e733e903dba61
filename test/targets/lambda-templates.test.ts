import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './child.ts'

const LINT = join(ROOT, '.cache/lambda/venv/bin/cfn-lint')
const MISSING = existsSync(LINT)
  ? undefined
  : 'no cfn-lint in .cache/lambda (test/targets/tools/lambda.sh installs it)'
if (MISSING !== undefined) console.log(`lambda templates: skipped, ${MISSING}`)

test.skipIf(MISSING !== undefined)('cfn-lint has nothing to say about the templates', () => {
  const folder = join(ROOT, 'infra/lambda')
  const templates = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  expect(templates.length).toBeGreaterThan(1)
  const files = templates.map((name) => join(folder, name))
  // It ends with a code for every kind of finding, warnings included.
  expect(execFileSync(LINT, files, { encoding: 'utf8' })).toBe('')
})

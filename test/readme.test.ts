import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer, type Serving, serve, stopAll } from './targets/child.ts'

const run = promisify(execFile)
const readme = readFileSync('README.md', 'utf8')

interface Block {
  readonly language: string
  readonly text: string
}

const blocks: readonly Block[] = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', text = '']) => ({ language, text }),
)

let server: Serving
beforeAll(async () => {
  buildServer()
  server = await serve([])
})
afterAll(stopAll)

/** Runs a block as it stands, ports aside. */
async function shell(text: string): Promise<string> {
  const command = text
    .replaceAll('localhost:8000', new URL(server.url).host)
    .replaceAll('localhost:8002', new URL(server.metricsUrl).host)
    .replaceAll('localhost:8001', server.grpc)
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', command])
  return stdout
}

test('the first two commands are the ones package.json has', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(blocks[0]?.text).toContain('npm ci && npm start')
  expect(blocks[0]?.text).toContain('npm ci && npm test')
  for (const [, name] of readme.matchAll(/npm run (\w+)/g))
    expect(scripts).toHaveProperty(name ?? '')
})

test.each(blocks.map((block, i) => [i, block] as const).filter(([, b]) => b.language === 'sh'))(
  'shell block %i runs, and prints what the README shows behind it',
  async (i, block) => {
    const output = await shell(block.text)
    expect(output).not.toBe('')
    const shown = blocks[i + 1]
    if (shown?.language === 'json') expect(JSON.parse(output)).toEqual(JSON.parse(shown.text))
  },
)

const starts = [...readme.matchAll(/^npm start -- (.*?)(?: +#.*)?$/gm)]
  .map(([, flags = '']) => flags)
  .filter((flags) => !flags.includes('/path/to/'))

test.each(starts)('the server starts with %s', async (flags) => {
  const started = await serve(flags.replaceAll('/tmp/', `${tmpdir()}/${process.pid}-`).split(' '))
  const answer = await fetch(new URL('/v2/health/ready', started.url))
  expect(answer.status).toBe(200)
  expect(started.log()).not.toContain('no effect')
  started.process.kill()
  expect((await started.ended).code).toBe(0)
})

test('every file the README links to exists', () => {
  for (const [, path] of readme.matchAll(/\]\(([^)]+)\)/g))
    expect(() => readFileSync((path ?? '').replace(/#.*/, ''))).not.toThrow()
  for (const [, path] of readme.matchAll(/`((?:core|adapters|test)\/[\w./-]+\.ts)`/g)) {
    expect(() => readFileSync(path ?? ''), path).not.toThrow()
  }
})

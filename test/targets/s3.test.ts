import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { NO_S3, type TestS3, testS3 } from '../helpers/s3-server.ts'
import { buildServer, type Serving, serve, stopAll } from './child.ts'
import { type TargetRepository, targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

if (NO_S3 !== undefined) console.log(`skipped: the server on a repository on S3: ${NO_S3}`)

describe.skipIf(NO_S3 !== undefined)('a repository on S3', () => {
  let s3: TestS3
  let repository: TargetRepository
  let cache = ''
  beforeAll(async () => {
    buildServer()
    s3 = await testS3()
    repository = targetRepository()
    cache = mkdtempSync(join(tmpdir(), 'nereid-cache-'))
    await upload(repository.folder, 'team/models')
  })
  afterAll(async () => {
    await stopAll()
    await s3.stop()
    repository.remove()
    rmSync(cache, { recursive: true, force: true })
  })

  async function upload(folder: string, prefix: string): Promise<void> {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      await s3.put(`${prefix}/${relative(folder, path)}`, readFileSync(path))
    }
  }

  const flags = (): string[] => [
    `--model-repository=${s3.root}/team/models`,
    `--repository-cache-directory=${cache}`,
  ]

  targetSuite(
    'server on S3',
    async () => {
      const server = await serve(
        [...flags(), '--model-control-mode=poll', '--repository-poll-secs=1'],
        s3.env,
      )
      return { url: server.url, close: () => stop(server) }
    },
    {
      update: async () => {
        repository.addWine()
        await upload(join(repository.folder, 'wine/2'), 'team/models/wine/2')
      },
      about: () => `Node ${process.version}, versitygw`,
    },
  )

  async function stop(server: Serving): Promise<void> {
    server.process.kill('SIGTERM')
    const { code, log } = await server.ended
    if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
  }
})

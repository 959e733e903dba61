import { afterAll } from 'vitest'
import { buildServer, serve, stopAll } from './child.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

const repository = targetRepository()
afterAll(async () => {
  await stopAll()
  repository.remove()
})

targetSuite(
  'server',
  async () => {
    buildServer()
    const server = await serve([
      `--model-repository=${repository.folder}`,
      '--model-control-mode=poll',
      '--repository-poll-secs=1',
      '--overload-lag-ms=0',
    ])
    return {
      url: server.url,
      close: async () => {
        server.process.kill('SIGTERM')
        const { code, log } = await server.ended
        if (code !== 0) throw new Error(`ended with ${code}:\n${log}`)
      },
    }
  },
  { update: () => repository.addWine(), about: () => `Node ${process.version}` },
)

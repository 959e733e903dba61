import { afterAll, beforeAll, describe } from 'vitest'
import {
  type EmulatedFunction,
  type EmulatorOptions,
  emulate,
  NO_EMULATOR,
  type Unpacked,
  unpackedFunction,
} from './lambda/emulator.ts'
import { targetRepository } from './repository.ts'
import { targetSuite } from './suite.ts'

if (NO_EMULATOR !== undefined) console.log(`target lambda: skipped, ${NO_EMULATOR}`)

describe.skipIf(NO_EMULATOR !== undefined)('in Lambda’s emulator', () => {
  let unpacked: Unpacked
  let running: EmulatedFunction | undefined
  const repository = targetRepository()
  const start = async (options: Omit<EmulatorOptions, 'function'>): Promise<EmulatedFunction> => {
    running = await emulate({ function: unpacked, ...options })
    return running
  }
  const about = (): string => {
    const init = /INIT REPORT\(durationMs: ([\d.]+)/.exec(running?.log() ?? '')?.[1]
    return `Node ${process.version}, init ${Number(init).toFixed(0)} ms`
  }

  beforeAll(() => {
    unpacked = unpackedFunction()
    console.log(unpacked.sizes)
  })
  afterAll(() => {
    unpacked?.remove()
    repository.remove()
  })

  targetSuite(
    'lambda, function URL that streams',
    () => start({ front: 'function URL', handler: 'stream' }),
    { about },
  )
  targetSuite(
    'lambda, HTTP API, models on a file system that changes',
    () =>
      start({
        front: 'HTTP API',
        env: {
          NEREID_MODEL_REPOSITORY: repository.folder,
          NEREID_MODEL_CONTROL_MODE: 'poll',
          NEREID_REPOSITORY_POLL_SECS: '1',
        },
      }),
    { about, update: () => repository.addWine() },
  )
  targetSuite('lambda, REST API', () => start({ front: 'REST API' }), { about })
  targetSuite('lambda, load balancer', () => start({ front: 'load balancer' }), { about })
})

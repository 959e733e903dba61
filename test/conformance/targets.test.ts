import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Browser } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { NO_S3, testS3 } from '../helpers/s3-server.ts'
import { buildServer, serve, stopAll } from '../targets/child.ts'
import { buildBrowser, CHROMIUM, fetchIn, launch, openTab, startSite } from '../targets/chromium.ts'
import {
  emulate,
  NO_EMULATOR,
  type Unpacked,
  unpackedFunction,
} from '../targets/lambda/emulator.ts'
import type { Front } from '../targets/lambda/events.ts'
import type { StartedTarget } from '../targets/suite.ts'
import { onCopy, RECORDED, recordedOn } from './recorded-on.ts'

/** What the recorded server was started with. */
const FLAGS = [
  '--model-control-mode=explicit',
  '--load-model=*',
  '--cache-config=local,size=1048576',
  '--allow-client-shm=true',
  '--overload-lag-ms=0',
]

describe('the recorded requests', () => {
  beforeAll(buildServer)
  afterAll(stopAll)

  const serving = async (
    repository: string,
    env?: Record<string, string>,
  ): Promise<StartedTarget> => {
    const server = await serve([`--model-repository=${repository}`, ...FLAGS], env)
    const close = async (): Promise<void> => {
      server.process.kill('SIGTERM')
      expect((await server.ended).code).toBe(0)
    }
    return { url: server.url, close }
  }

  recordedOn('server', () => onCopy(serving))

  if (NO_S3 !== undefined) console.log(`recorded requests on S3: skipped, ${NO_S3}`)
  describe.skipIf(NO_S3 !== undefined)('with models on S3', () => {
    recordedOn('server on S3', async () => {
      const s3 = await testS3()
      for (const entry of readdirSync(RECORDED, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue
        const path = join(entry.parentPath, entry.name)
        await s3.put(`repository/${relative(RECORDED, path)}`, readFileSync(path))
      }
      const cache = mkdtempSync(join(tmpdir(), 'nereid-recorded-'))
      const env = { ...s3.env, NEREID_REPOSITORY_CACHE_DIRECTORY: cache }
      const server = await serving(`${s3.root}/repository`, env)
      const close = async (): Promise<void> => {
        await server.close()
        await s3.stop()
        rmSync(cache, { recursive: true, force: true })
      }
      return { ...server, close }
    })
  })
})

if (NO_EMULATOR !== undefined) console.log(`recorded requests on lambda: skipped, ${NO_EMULATOR}`)
describe.skipIf(NO_EMULATOR !== undefined)('the recorded requests in Lambda’s emulator', () => {
  let unpacked: Unpacked
  beforeAll(() => {
    unpacked = unpackedFunction()
  })
  afterAll(() => unpacked?.remove())

  const emulated = (front: Front, handler: 'handler' | 'stream') => (): Promise<StartedTarget> =>
    onCopy((repository) =>
      emulate({
        function: unpacked,
        front,
        handler,
        env: {
          NEREID_MODEL_REPOSITORY: repository,
          NEREID_MODEL_CONTROL_MODE: 'explicit',
          NEREID_LOAD_MODEL: '*',
          NEREID_CACHE_CONFIG: 'local,size=1048576',
        },
      }),
    )

  recordedOn('lambda, REST API', emulated('REST API', 'handler'), ['-lambda'])
  recordedOn('lambda, load balancer', emulated('load balancer', 'handler'), ['-lambda'])
  const asText = ['-lambda', '-lambda-text'] as const
  recordedOn('lambda, HTTP API', emulated('HTTP API', 'handler'), asText)
  recordedOn('lambda, function URL that streams', emulated('function URL', 'stream'), asText)
})

if (CHROMIUM === undefined) console.log('recorded requests in a browser: skipped, no chromium')
describe.skipIf(CHROMIUM === undefined)('the recorded requests in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    buildBrowser()
    browser = await launch()
  })
  afterAll(() => browser?.close())

  recordedOn('browser, wasm in a service worker', async () => {
    const site = await startSite()
    const { folder } = site.repository
    rmSync(folder, { recursive: true })
    cpSync(RECORDED, folder, { recursive: true })
    site.writeManifest()
    const page = await openTab(browser, `${site.url}?provider=wasm`)
    return {
      url: site.url.slice(0, -1),
      fetch: (url, init) => fetchIn(page, url, init),
      close: async () => {
        await page.browserContext().close()
        await site.remove()
      },
    }
  }, ['-browser'])
})

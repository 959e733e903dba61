import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from './child.ts'
import {
  buildBrowser,
  CHROMIUM,
  fetchIn,
  launch,
  openTab,
  ready,
  type Site,
  startSite,
} from './chromium.ts'
import { draw, STROKES, text } from './drawing.ts'
import { targetSuite } from './suite.ts'

const skip = CHROMIUM === undefined
if (skip)
  console.log('skipped: the browser target: chromium (Debian package chromium) is not installed')

/** Where the screenshot of a run goes. */
const PICTURES = join(ROOT, '.cache/browser')
let browser: Browser

/** What the build wrote about itself. */
function builtSize(): string {
  const { report } = JSON.parse(readFileSync(join(ROOT, 'dist/browser/.built-from'), 'utf8'))
  const { bytes, gzip, folderBytes } = report
  return `${bytes} bytes of scripts (gzip ${gzip}), ${folderBytes} with WebAssembly and models`
}

beforeAll(async () => {
  if (skip) return
  buildBrowser()
  browser = await launch()
})
afterAll(async () => {
  await browser?.close()
})

for (const provider of ['wasm', 'webgpu']) {
  describe.skipIf(skip)('', () => {
    let site: Site
    let page: Page
    let version = ''
    targetSuite(
      `browser, ${provider} in a service worker`,
      async () => {
        site = await startSite()
        page = await openTab(browser, `${site.url}?provider=${provider}&poll-secs=1`)
        version = await browser.version()
        return {
          url: site.url.slice(0, -1),
          fetch: (url, init) => fetchIn(page, url, init),
          close: async () => {
            await page.browserContext().close()
            await site.remove()
          },
        }
      },
      {
        update: () => {
          site.repository.addWine()
          site.writeManifest()
        },
        about: () => `${version}, ${builtSize()}`,
      },
    )
  })
}

describe.skipIf(skip)('a page with a server in its tab', () => {
  let site: Site
  const pages: Page[] = []
  const open = async (query: string): Promise<Page> => {
    const page = await openTab(browser, site.url + query)
    pages.push(page)
    return page
  }
  beforeAll(async () => {
    // The site is a folder of an origin that has others.
    site = await startSite('demo/')
  })
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.browserContext().close()
  })
  afterAll(async () => {
    await site.remove()
  })

  for (const [query, provider, place] of [
    ['', 'wasm', 'a service worker'],
    ['?provider=webgpu', 'webgpu', 'a service worker'],
    ['?in-page', 'wasm', 'this page'],
    ['?in-page&provider=webgpu', 'webgpu', 'this page'],
  ] as const) {
    test(`a drawn seven is told by ${provider} in ${place}`, async () => {
      const page = await open(query)
      const latency = await draw(page, 'seven')
      expect(latency).toMatch(/^\d+\.\d ms$/)
      expect(await text(page, 'status')).toMatch(new RegExp(`^${provider} .*in ${place}, ready`))
      mkdirSync(PICTURES, { recursive: true })
      await page.screenshot({
        path: join(PICTURES, `${provider}-${place.replaceAll(' ', '-')}.png`),
      })
      console.log(`target browser: ${await text(page, 'status')}, an answer in ${latency}`)
    })
  }

  test('without WebGPU the page says so and runs on wasm', async () => {
    const context = await browser.createBrowserContext()
    const page = await context.newPage()
    pages.push(page)
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })
    })
    await page.goto(`${site.url}?in-page&provider=webgpu`)
    await ready(page)
    expect(await text(page, 'status')).toMatch(/^wasm, no WebGPU here in this page/)
    await draw(page, 'seven')
  })

  test('it answers only below its own path', async () => {
    const page = await open('')
    const origin = new URL(site.url).origin
    const answered = async (url: string): Promise<[number, boolean]> => {
      const response = page.waitForResponse(url)
      await fetchIn(page, url)
      return [(await response).status(), (await response).fromServiceWorker()]
    }
    expect(await answered(`${site.url}v2/health/live`)).toEqual([200, true])
    expect(await answered(`${origin}/v2/health/live`)).toEqual([404, false])
  })

  test('a form of another site gets no answer', async () => {
    const page = await open('')
    const form = `<form method="post" action="${site.url}v2/repository/index"></form>`
    const stranger = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end(`${form}<script>document.forms[0].submit()</script>`)
    })
    await once(stranger.listen(0, '127.0.0.1'), 'listening')
    try {
      const answer = page.waitForResponse((response) => response.url().endsWith('/index'))
      const { port } = stranger.address() as AddressInfo
      await page.goto(`http://127.0.0.1:${port}/`)
      expect((await answer).status()).toBe(403)
      expect((await answer).fromServiceWorker()).toBe(true)
    } finally {
      stranger.close()
    }
  })

  test('what was asked is kept nowhere', async () => {
    const page = await open('')
    await draw(page, 'seven')
    const kept = await page.evaluate(async () => {
      const urls: string[] = []
      for (const name of await caches.keys()) {
        for (const { url } of await (await caches.open(name)).keys()) urls.push(url)
      }
      return urls
    })
    expect(kept.filter((url) => url.includes('/v2/'))).toEqual([])
    const { pathname } = new URL(site.url)
    const paths = kept.map((url) => new URL(url).pathname.slice(pathname.length))
    expect(paths.filter((path) => !/^models\/\.sha256\/[0-9a-f]{64}$/.test(path)).sort()).toEqual([
      '',
      'index.html',
      'models/repository.json',
      expect.stringMatching(/^ort-wasm-simd-threaded-\w{8}\.wasm$/),
      'page.css',
      'page.mjs',
    ])
  })

  test('models come from the repository alone, not with a request', async () => {
    const page = await open('')
    const file = { 'file:1/model.onnx': '', config: '{}' }
    const answer = await fetchIn(page, `${site.url}v2/repository/models/mine/load`, {
      method: 'POST',
      body: JSON.stringify({ parameters: file }),
    })
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { error: expect.stringMatching(/explicit model load \/ unload is not allowed/) },
    ])
  })

  test('text is not run as a script', async () => {
    const page = await open('')
    const outcome = await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'window.stranger = true'
      document.body.append(script)
      return 'stranger' in window
    })
    expect(outcome).toBe(false)
  })

  test('a model whose content is not that of the manifest is not served', async () => {
    const other = await startSite()
    try {
      writeFileSync(join(other.repository.folder, 'digits/1/model.onnx'), 'not the model')
      const page = await openTab(browser, other.url)
      pages.push(page)
      const answer = await fetchIn(page, `${other.url}v2/models/digits/ready`)
      const good = await fetchIn(page, `${other.url}v2/models/wine/ready`)
      expect([answer.status, good.status]).toEqual([400, 200])
    } finally {
      await other.remove()
    }
  })

  test('ten drawn digits are told from each other', async () => {
    const page = await open('')
    for (const name of Object.keys(STROKES)) await draw(page, name)
  })

  test('a worker that the browser ended starts again with the next request, with a network and without', async () => {
    const other = await startSite()
    try {
      const page = await openTab(browser, other.url)
      pages.push(page)
      const session = await page.createCDPSession()
      await session.send('ServiceWorker.enable')
      for (const network of [true, false]) {
        if (!network) await other.stop()
        await session.send('ServiceWorker.stopAllWorkers')
        const begin = performance.now()
        const answer = await fetchIn(page, `${other.url}v2/models/digits/ready`)
        const ms = (performance.now() - begin).toFixed(0)
        expect(answer.status).toBe(200)
        console.log(`target browser: an ended worker answered after ${ms} ms, network: ${network}`)
      }
    } finally {
      await other.remove()
    }
  })

  test('what was seen once opens and answers without a network, also in a browser that was closed', async () => {
    const profile = mkdtempSync(join(tmpdir(), 'nereid-profile-'))
    const other = await startSite()
    try {
      const first = await launch(profile)
      const page = await first.newPage()
      await page.goto(`${other.url}?provider=webgpu`)
      await ready(page)
      await first.close()
      await other.stop()
      const second = await launch(profile)
      const later = await second.newPage()
      await later.goto(`${other.url}?provider=webgpu`)
      await ready(later)
      await draw(later, 'seven')
      expect(await text(later, 'status')).toMatch(/^webgpu .* in a service worker/)
      await second.close()
    } finally {
      await other.remove()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  })
})

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { ROOT } from './child.ts'
import { type TargetRepository, targetRepository } from './repository.ts'

/** The browser on this machine; undefined where there is none. */
export const CHROMIUM: string | undefined = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'chromium'))
  .find((path) => existsSync(path))

/** WebGPU without a GPU. The sandbox wants rights that containers do not have. */
const FLAGS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
]

/** `profile`: a folder for what it remembers. Default: one that goes with it. */
export async function launch(profile?: string): Promise<Browser> {
  const { default: puppeteer } = await import('puppeteer-core')
  return puppeteer.launch({
    executablePath: CHROMIUM ?? '',
    args: FLAGS,
    // A worker that is being debugged does not start again when it was ended.
    targetFilter: (target) => target.type() !== 'service_worker',
    ...(profile === undefined ? {} : { userDataDir: profile }),
  })
}

const script = (file: string, ...args: string[]): string[] => ['--import', 'tsx', file, ...args]

/** The built target as its owner would put it on a web server, with models that can change. */
export interface Site {
  /** With a slash at the end. */
  readonly url: string
  readonly repository: TargetRepository
  /** Tells of the models as they are now. */
  writeManifest(): void
  /** Ends the web server; the folder stays. */
  stop(): Promise<void>
  remove(): Promise<void>
}

/** Builds the target unless it is up to date. */
export function buildBrowser(): void {
  execFileSync(process.execPath, script('infra/build.ts', 'browser', '--quiet'), {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** `path`: the folder on the server in which the site lies, '' or with a slash at the end. */
export async function startSite(path = ''): Promise<Site> {
  const built = join(ROOT, 'dist/browser')
  const root = mkdtempSync(join(tmpdir(), 'nereid-site-'))
  const folder = join(root, path)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(built)) {
    if (name !== 'models') cpSync(join(built, name), join(folder, name))
  }
  const repository = targetRepository(join(folder, 'models'))
  const writeManifest = (): void => {
    execFileSync(process.execPath, script('infra/manifest.ts', repository.folder), { cwd: ROOT })
  }
  writeManifest()
  const { child, url } = await serve(root)
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || !child.kill('SIGTERM')) return
    await once(child, 'exit')
  }
  return {
    url: url + path,
    repository,
    writeManifest,
    stop,
    remove: async () => {
      await stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

async function serve(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, script('infra/browser/serve.ts', folder, '0'), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout, 'data')
  return { child, url: String(line).trim() }
}

/** The tab's own `fetch`: request and answer travel as base64. */
export async function fetchIn(page: Page, url: string, init: RequestInit = {}): Promise<Response> {
  const body =
    init.body === undefined || init.body === null
      ? null
      : Buffer.from(await new Response(init.body).arrayBuffer()).toString('base64')
  const headers = [...new Headers(init.headers)]
  const answer = await page.evaluate(
    async (url, method, headers, body) => {
      const bytes = body === null ? null : Uint8Array.from(atob(body), (one) => one.charCodeAt(0))
      const response = await fetch(url, { method, headers, body: bytes })
      let text = ''
      for (const byte of new Uint8Array(await response.arrayBuffer())) {
        text += String.fromCharCode(byte)
      }
      return { status: response.status, headers: [...response.headers], body: btoa(text) }
    },
    url,
    init.method ?? 'GET',
    headers,
    body,
  )
  const { status } = answer
  return new Response(Buffer.from(answer.body, 'base64'), { status, headers: answer.headers })
}

/** Opens the page at `url` and waits until its server is there. Throws what the page says where it fails. */
export async function openTab(browser: Browser, url: string): Promise<Page> {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  await page.goto(url)
  await ready(page)
  return page
}

/** Longest start of a tab's server on a busy machine: 27 MB of WebAssembly are compiled for it. */
const READY_MS = 90_000

export async function ready(page: Page): Promise<void> {
  await page.waitForSelector('body[data-state]', { timeout: READY_MS })
  const [state, status] = await page.evaluate(() => [
    document.body.dataset['state'],
    document.getElementById('status')?.textContent,
  ])
  if (state !== 'ready') throw new Error(`the page says: ${status}`)
}

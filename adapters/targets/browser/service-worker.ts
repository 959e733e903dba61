import { networkFirst } from './kept.ts'
import type { ServiceWorkerScope } from './service-worker-scope.ts'
import { startTabServer, type TabServer } from './tab-server.ts'

const worker = globalThis as unknown as ServiceWorkerScope
const { pathname: scope } = new URL(worker.registration.scope)
const parameters = new URLSearchParams(location.search)
const provider = parameters.get('provider')
const pollSecs = Number(parameters.get('poll-secs'))
/** Each scope has its own: two sites may share an origin. */
const CACHE = `nereid ${scope}`
/** The page itself, which is to open without a network. */
const SHELL: readonly string[] = ['', 'index.html', 'page.mjs', 'page.css']
/** Says what runs the models. */
const FACTS = 'tab.json'

let starting: Promise<TabServer> | undefined

/** Browsers end workers that have nothing to do and start them again: whoever comes first loads the models. */
function server(): Promise<TabServer> {
  starting ??= start()
  return starting
}

async function start(): Promise<TabServer> {
  try {
    return await startTabServer({
      repository: new URL(parameters.get('repository') ?? 'models', worker.registration.scope).href,
      base: scope.slice(0, -1),
      provider: provider === 'webgpu' || provider === 'wasm' ? provider : undefined,
      ...(pollSecs > 0 ? { pollSecs } : {}),
      keep: await caches.open(CACHE),
    })
  } catch (error) {
    starting = undefined
    throw error
  }
}

worker.addEventListener('install', (event) => {
  const keepShell = async (): Promise<void> => {
    const cache = await caches.open(CACHE)
    await cache.addAll(SHELL.map((file) => scope + file))
    await worker.skipWaiting()
  }
  event.waitUntil(keepShell())
})

worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()))

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (origin !== location.origin || !pathname.startsWith(scope)) return
  const path = pathname.slice(scope.length)
  if (path === 'v2' || path.startsWith('v2/')) event.respondWith(answer(request))
  else if (path === FACTS) event.respondWith(facts())
  else if (request.method === 'GET' && SHELL.includes(path)) event.respondWith(shell(request))
})

async function answer(request: Request): Promise<Response> {
  // A form on any site can send its visitors here; only scripts of this one may ask for more than a look.
  if (request.mode === 'navigate' && request.method !== 'GET') {
    return failure(403, 'requests of forms are not answered')
  }
  try {
    return await (await server()).fetch(request)
  } catch (error) {
    return failure(503, `the server in this tab did not start: ${messageOf(error)}`)
  }
}

async function facts(): Promise<Response> {
  try {
    return Response.json((await server()).facts)
  } catch (error) {
    return failure(503, messageOf(error))
  }
}

async function shell(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE)
  return networkFirst(cache, fetch)(request, { cache: 'no-cache' })
}

function failure(status: number, error: string): Response {
  return Response.json({ error }, { status })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

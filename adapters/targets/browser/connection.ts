import type { TabFacts } from './tab-server.ts'

/** The server of this tab, wherever it runs. */
export interface Connection {
  readonly place: 'a service worker' | 'this page'
  readonly facts: TabFacts
  /** `path` is relative to this page: `v2/models/…`. */
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** A service worker that has not taken over by then is taken for one that never will. */
const TAKEOVER_MS = 20_000

/** In a service worker where the browser can have one, else in the page. `parameters` are those of the page. */
export async function connect(parameters: URLSearchParams): Promise<Connection> {
  if ('serviceWorker' in navigator && !parameters.has('in-page')) {
    try {
      return await serviceWorker(parameters)
    } catch (error) {
      // Private windows, policies and a reload that went around the worker: the page does without it.
      console.warn(error)
    }
  }
  return inPage(parameters)
}

async function inPage(parameters: URLSearchParams): Promise<Connection> {
  const { startTabServer } = await import('./nereid.ts')
  const here = new URL('.', location.href)
  const provider = parameters.get('provider')
  const server = await startTabServer({
    repository: new URL('models', here).href,
    base: here.pathname.slice(0, -1),
    provider: provider === 'webgpu' || provider === 'wasm' ? provider : undefined,
  })
  return {
    place: 'this page',
    facts: server.facts,
    fetch: (path, init) => server.fetch(new Request(new URL(path, here), init)),
  }
}

async function serviceWorker(parameters: URLSearchParams): Promise<Connection> {
  const { serviceWorker: workers } = navigator
  // Another query is another worker, which takes the place of the one before.
  const script = new URL(`service-worker.mjs?${parameters}`, location.href).href
  await workers.register(script, { type: 'module', scope: './', updateViaCache: 'none' })
  await takeover(workers, script)
  const facts = await fetch('tab.json')
  if (!facts.ok) throw new Error(((await facts.json()) as { error: string }).error)
  return {
    place: 'a service worker',
    facts: (await facts.json()) as TabFacts,
    fetch: (path, init) => fetch(path, init),
  }
}

/** Resolves when this page's requests go to the worker of `script`. */
function takeover(workers: ServiceWorkerContainer, script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (workers.controller?.scriptURL !== script) return
      clearTimeout(timer)
      workers.removeEventListener('controllerchange', look)
      resolve()
    }
    const timer = setTimeout(() => {
      workers.removeEventListener('controllerchange', look)
      reject(new Error('the service worker did not take over'))
    }, TAKEOVER_MS)
    workers.addEventListener('controllerchange', look)
    look()
  })
}

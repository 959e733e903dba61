import { manifestFiles } from '../../stores/manifest.ts'
import { MANIFEST_FILE } from '../../stores/manifest-format.ts'
import type { RemoteFile, RemoteFiles } from '../../stores/remote-types.ts'

/** Where things are kept for when there is no network. */
export type Keep = Pick<Cache, 'match' | 'put' | 'delete' | 'keys'>

/**
 * `get` that asks the network first and, where it cannot be reached, takes what it answered the last time. Only for what is
 * meant to be kept: answers to requests about models are not.
 */
export function networkFirst(keep: Keep, get: typeof fetch): typeof fetch {
  return async (input, init) => {
    const url = withoutQuery(input instanceof Request ? input.url : String(input))
    try {
      const answer = await get(input, init)
      if (answer.ok && answer.status === 200) await put(keep, url, answer.clone())
      return answer
    } catch (error) {
      const kept = await keep.match(url)
      if (kept === undefined) throw error
      return kept
    }
  }
}

/** Pages are configured by their query, and are the same page. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

/** The bytes at `url`, whose name changes with its content: once fetched, for good. */
export async function onceFetched(
  keep: Keep,
  get: typeof fetch,
  url: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const kept = await keep.match(url)
  if (kept !== undefined) return new Uint8Array(await kept.arrayBuffer())
  const answer = await get(url, { redirect: 'error' })
  if (!answer.ok) throw new Error(`cannot read '${url}': status ${answer.status}`)
  const bytes = new Uint8Array(await answer.arrayBuffer())
  await put(keep, url, new Response(bytes))
  return bytes
}

/** Forgets the `.wasm` files of earlier builds: everything but `current`. */
export async function forgetOthers(keep: Keep, current: readonly string[]): Promise<void> {
  for (const { url } of await keep.keys()) {
    if (url.endsWith('.wasm') && !current.includes(url)) await keep.delete(url)
  }
}

/**
 * The repository at `root`, each content kept under its digest: a model is fetched once, and loads without a network. What the
 * newest manifest does not list is forgotten.
 */
export function keptFiles(root: string, keep: Keep, get: typeof fetch): RemoteFiles {
  const manifest = `${root}/${MANIFEST_FILE}`
  const first = networkFirst(keep, get)
  const files = manifestFiles({
    root,
    fetch: (input, init) => (String(input) === manifest ? first : get)(input, init),
  })
  const keyOf = (sha256: string): string => `${root}/.sha256/${sha256}`
  return {
    ...files,
    async list(path, signal) {
      const listing = await files.list(path, signal)
      if (path === '') {
        const listed = new Set(listing.files.map(({ sha256 = '' }) => keyOf(sha256)))
        for (const { url } of await keep.keys()) {
          if (url.startsWith(keyOf('')) && !listed.has(url)) await keep.delete(url)
        }
      }
      return listing
    },
    async open(file, offset, signal) {
      const key = keyOf(file.sha256 ?? '')
      const kept = await (await keep.match(key))?.arrayBuffer()
      if (kept !== undefined) {
        const bytes = new Uint8Array(kept)
        if (await isWhole(bytes, file)) return once(bytes.subarray(offset))
        await keep.delete(key)
      }
      const chunks = await files.open(file, offset, signal)
      return offset === 0
        ? keeping(chunks, file, (bytes) => put(keep, key, new Response(bytes)))
        : chunks
    },
  }
}

/** `chunks`, which are kept when they turn out to be the content of `file`. */
async function* keeping(
  chunks: AsyncIterable<Uint8Array>,
  file: RemoteFile,
  store: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const whole = new Uint8Array(file.size)
  let size = 0
  for await (const chunk of chunks) {
    if (size + chunk.length <= file.size) whole.set(chunk, size)
    size += chunk.length
    yield chunk
  }
  if (size === file.size && (await isWhole(whole, file))) await store(whole)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function isWhole(bytes: Uint8Array<ArrayBuffer>, file: RemoteFile): Promise<boolean> {
  if (bytes.length !== file.size) return false
  let text = ''
  for (const byte of new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) {
    text += byte.toString(16).padStart(2, '0')
  }
  return text === file.sha256
}

/** A full disk is no reason to fail: what is not kept is fetched again. */
async function put(keep: Keep, url: string, answer: Response): Promise<void> {
  await keep.put(url, answer).catch(() => undefined)
}

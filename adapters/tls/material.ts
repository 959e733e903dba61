import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import type { WatchFiles } from './watch-files.ts'

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  /** Certificates that verify clients; '' = clients need none. */
  readonly ca: string
}

/** Content of the files, checked: the listeners' TLS options. */
export interface Material {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
  /** End of the certificate's life, milliseconds since the Unix epoch. */
  readonly notAfterMs: number
}

/** The certificate of one door, for as long as the server runs. */
export interface TlsSource {
  readonly material: Material
  /** Hears of every good new pair. What it throws leaves the door with the old one and is logged. */
  onChange(use: (material: Material) => void): void
  /** True after a change that could not be used. */
  readonly reloadFailed: boolean
  close(): void
}

/** An owner is told this long before a certificate ends. */
export const EXPIRY_WARNING_DAYS = 30
const DAY_MS = 86_400_000

export interface TlsSourceOptions {
  readonly files: TlsFiles
  /** Of log lines: `http`, `grpc`. */
  readonly door: string
  readonly log: Log
  readonly watch: WatchFiles
  readonly epochMs: () => number
}

/**
 * Reads certificate and key, and again when they change; a pair that does not fit or cannot be read leaves the old one in
 * use. Throws an Error with the file and the reason when the first pair is not usable.
 */
export function tlsSource(options: TlsSourceOptions): TlsSource {
  const { files, door, log, epochMs } = options
  const users: ((material: Material) => void)[] = []
  const paths = [files.cert, files.key, files.ca].filter((path) => path !== '')
  // Watched before they are read, so that no change between the two is missed.
  const watch = options.watch(paths, () => reload())
  let material = first()
  let reloadFailed = false

  function first(): Material {
    try {
      return readMaterial(files)
    } catch (error) {
      watch.close()
      throw error
    }
  }
  const advise = (): void => {
    const days = Math.floor((material.notAfterMs - epochMs()) / DAY_MS)
    if (days >= EXPIRY_WARNING_DAYS) return
    log.warning(
      days < 0
        ? `${door}: the certificate in ${files.cert} has expired`
        : `${door}: the certificate in ${files.cert} expires in ${days} days`,
    )
  }
  const reload = (): void => {
    try {
      const next = readMaterial(files)
      for (const use of users) use(next)
      material = next
      reloadFailed = false
      log.info(`${door}: new TLS certificate in use`)
      advise()
    } catch (error) {
      reloadFailed = true
      log.error(`${door}: the old TLS certificate stays in use: ${messageOf(error)}`)
    }
  }
  advise()
  const daily = setInterval(advise, DAY_MS).unref()
  return {
    get material() {
      return material
    },
    get reloadFailed() {
      return reloadFailed
    },
    onChange(use) {
      users.push(use)
    },
    close() {
      watch.close()
      clearInterval(daily)
    },
  }
}

/** The files' content. Throws an Error that names the file that cannot be used. */
export function readMaterial({ cert, key, ca }: TlsFiles): Material {
  const certPem = read(cert, 'certificate')
  const keyPem = read(key, 'key')
  const leaf = use(cert, 'certificate', () => new X509Certificate(certPem))
  const privateKey = use(key, 'private key', () => createPrivateKey(keyPem))
  if (!leaf.checkPrivateKey(privateKey)) {
    throw new Error(`the key in ${key} is not that of the certificate in ${cert}`)
  }
  const material = {
    cert: certPem,
    key: keyPem,
    notAfterMs: Date.parse(leaf.validTo),
    ...(ca === '' ? {} : { clientCa: read(ca, 'client certificates') }),
  }
  const { clientCa } = material as { clientCa?: string }
  if (clientCa !== undefined) use(ca, 'certificate', () => new X509Certificate(clientCa))
  // Whatever else OpenSSL minds, such as a key that is too short, is found here and not at a client's handshake.
  use(cert, 'certificate', () => {
    createSecureContext({
      cert: certPem,
      key: keyPem,
      ...(clientCa === undefined ? {} : { ca: clientCa }),
    })
  })
  return material
}

function read(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new Error(`cannot read the ${what} file ${path} (${code})`)
  }
}

/** OpenSSL's own words may quote what they stumbled over: only its code is told. */
function use<T>(path: string, what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { code = 'not PEM' } = error as NodeJS.ErrnoException
    throw new Error(`${path} holds no usable ${what} (${code})`)
  }
}

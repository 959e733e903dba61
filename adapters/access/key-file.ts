import { readFileSync, statSync } from 'node:fs'
import { type KeyEntry, parseKeyEntries } from '../../core/access/key-entry.ts'
import { createKeyAccess, type KeyAccess } from '../../core/access/keys.ts'
import { messageOf } from '../../core/errors.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { nodeHasher } from './hasher.ts'

/** Bytes of a key file at most. */
export const MAX_KEY_FILE_BYTES: number = 16 * 1024 * 1024

export interface KeyFileOptions {
  readonly path: string
  readonly log: Log
  readonly clock: Clock
  /** Calls back when the file has changed. */
  readonly watch: (paths: readonly string[], changed: () => void) => { close(): void }
}

/** The keys of `--auth-file`, for as long as the server runs. */
export interface KeyFile {
  readonly access: KeyAccess
  /** True after a change that could not be used. */
  readonly reloadFailed: boolean
  close(): void
}

/**
 * Reads the file, and again when it changes: all of its entries come into force at once, or, where anything is wrong with
 * one of them, none. Throws an Error that says what is wrong with the file as it is at first.
 */
export function keyFile(options: KeyFileOptions): KeyFile {
  const { path, log, clock } = options
  // Watched before it is read, so that no change between the two is missed.
  const watch = options.watch([path], () => reload())
  const access = createKeyAccess({ entries: first(), hasher: nodeHasher(), clock })
  let reloadFailed = false
  function first(): readonly KeyEntry[] {
    try {
      return readEntries(path)
    } catch (error) {
      watch.close()
      throw error
    }
  }
  const reload = (): void => {
    try {
      const entries = readEntries(path)
      access.replace(entries)
      reloadFailed = false
      log.info(`${path}: ${entries.length} keys in force`)
    } catch (error) {
      reloadFailed = true
      log.error(`the old keys stay in force: ${messageOf(error)}`)
    }
  }
  return {
    access,
    get reloadFailed() {
      return reloadFailed
    },
    close: () => watch.close(),
  }
}

function readEntries(path: string): readonly KeyEntry[] {
  let text: string
  try {
    const { size } = statSync(path)
    if (size > MAX_KEY_FILE_BYTES) {
      throw new Error(`has ${size} bytes, the limit is ${MAX_KEY_FILE_BYTES}`)
    }
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(
      `${path}: ${code === undefined ? messageOf(error) : `cannot be read (${code})`}`,
    )
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's words quote the file.
    throw new Error(`${path}: is not JSON`)
  }
  try {
    return parseKeyEntries(json, Date.parse)
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`)
  }
}

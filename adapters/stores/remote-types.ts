/** A file of a repository that is a network away, as a listing told of it. */
export interface RemoteFile {
  /** Below the repository's root; safe (`safeJoin`). */
  readonly path: string
  readonly size: number
  /** Changes with the content. */
  readonly tag: string
  /** When it was written, milliseconds since the epoch, where the repository says so. */
  readonly modifiedMs?: number
  /** SHA-256 of the content, lower-case hexadecimal, where the repository says so: then it is checked. */
  readonly sha256?: string
}

export interface RemoteListing {
  readonly files: readonly RemoteFile[]
  /** Folders that are there even if nothing is in them. '' is the root. */
  readonly folders: readonly string[]
}

/** What a network offers: everything else a store can do is made of it. */
export interface RemoteFiles {
  /** What a user calls it: the value of `--model-repository`. */
  readonly root: string
  /** Everything at or below `path` ('' is all). Throws a `ServerError` that says what to do. */
  list(path: string, signal?: AbortSignal): Promise<RemoteListing>
  /** The content of `file` from `offset` on. Throws a `ReplacedError` where it is not the file of the listing any more. */
  open(file: RemoteFile, offset: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Lets go of connections. Idempotent. */
  close(): void
}

/** Copies on this machine. */
export interface LocalCopies {
  /** Everything that was asked for, whole and unchanged; downloads what is missing. */
  bring(request: CopyRequest): Promise<LocalCopy>
  read(path: string, signal?: AbortSignal): Promise<Uint8Array>
  join(folder: string, path: string): string
}

export interface LocalCopy {
  /** Absolute path. */
  readonly folder: string
  /** Something came over the network for it. */
  readonly downloaded: boolean
  /** The copy may be removed from now on. Idempotent. */
  release(): void
}

export interface CopyRequest {
  readonly from: RemoteFiles
  /** What of `from` is copied: a folder, or one file. */
  readonly path: string
  /** With the paths they have in the copy. */
  readonly files: readonly { readonly at: string; readonly file: RemoteFile }[]
  readonly signal: AbortSignal | undefined
}

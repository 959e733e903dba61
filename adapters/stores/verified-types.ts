/** Brings files to this machine's disk as they are listed, where nobody changes them any more. */
export interface VerifiedFiles {
  /** As a store's; throws where a file is not what it has to be. */
  localPath(path: string, signal?: AbortSignal): Promise<string>
  localise(path: string, signal?: AbortSignal): Promise<() => void>
}

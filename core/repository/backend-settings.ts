/** `--backend-config` pairs by backend; '' holds those for any backend. */
export type BackendConfig = ReadonlyMap<string, ReadonlyMap<string, string>>

/** The pairs for `backend`, merged over those for any. */
export function settingsOf(backend: string, config: BackendConfig): ReadonlyMap<string, string> {
  return new Map([...(config.get('') ?? []), ...(config.get(backend) ?? [])])
}

import { Rate } from './rate.ts'

/** What is known of an id while the server runs; all keys of the id share it. */
export class KeyState {
  readonly rate: Rate = new Rate()
  inflight = 0
  allowed = 0
  forbidden = 0
  limited = 0
}

export type KeyStates = Map<string, KeyState>

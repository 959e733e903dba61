import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { KeyHasher } from '../../core/access/keys.ts'

const SECRET_BYTES = 32

/** Node's hashing, with a secret that lives as long as the hasher. */
export function nodeHasher(): KeyHasher {
  const secret = randomBytes(SECRET_BYTES)
  return {
    digest: (key) => createHash('sha256').update(key, 'utf8').digest('hex'),
    tag: (digest) => createHmac('sha256', secret).update(digest).digest('base64'),
  }
}

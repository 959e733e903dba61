import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

/** An authority of a test and what it signs; made by the `openssl` program. */
export class TestAuthority {
  readonly cert: string
  readonly #key: string

  constructor() {
    const own = run('/CN=test authority', [])
    this.cert = own.cert
    this.#key = own.key
  }

  /** A certificate with the SAN `names`, as in `DNS:localhost` or `URI:spiffe://test/client`. */
  sign(subject: string, names: string): TestCertificate {
    return run(subject, ['-addext', `subjectAltName=${names}`], { cert: this.cert, key: this.#key })
  }
}

function run(
  subject: string,
  more: readonly string[],
  authority?: TestCertificate,
): TestCertificate {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  const file = (name: string) => join(folder, name)
  try {
    const signer: string[] = []
    if (authority !== undefined) {
      writeFileSync(file('ca.pem'), authority.cert)
      writeFileSync(file('ca.key'), authority.key)
      signer.push('-CA', file('ca.pem'), '-CAkey', file('ca.key'))
    }
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const out = ['-keyout', file('key.pem'), '-out', file('cert.pem')]
    execFileSync(
      'openssl',
      ['req', '-x509', '-subj', subject, ...curve, ...out, ...signer, ...more],
      {
        stdio: 'pipe',
      },
    )
    return {
      cert: readFileSync(file('cert.pem'), 'utf8'),
      key: readFileSync(file('key.pem'), 'utf8'),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

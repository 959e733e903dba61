import { startReferenceHttp2 } from '../../../adapters/http2/reference.ts'
import { startHttp2 } from '../../../adapters/http2/server.ts'
import { http2Contract } from '../../contract/http2.ts'
import { http2EndingsContract } from '../../contract/http2-endings.ts'
import { http2TlsContract } from '../../contract/http2-tls.ts'

for (const contract of [http2Contract, http2EndingsContract, http2TlsContract]) {
  contract('startHttp2', startHttp2)
  contract('startReferenceHttp2', startReferenceHttp2)
}

// Tokens made apart from the Rust code, from the layout in shared/link/src/token.rs.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

const DOMAIN = Buffer.from('dermalia-link/1\0');

export class Key {
  /** Of a seed of 32 bytes, or of one byte as often. */
  constructor(id, seed) {
    this.id = id;
    const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
    const bytes = typeof seed === 'number' ? Buffer.alloc(32, seed) : seed;
    this.secret = createPrivateKey({
      key: Buffer.concat([pkcs8, bytes]),
      format: 'der',
      type: 'pkcs8',
    });
  }

  /** As the Worker's configuration wants it. */
  get public() {
    const spki = createPublicKey(this.secret).export({ format: 'der', type: 'spki' });
    return `${this.id}:${spki.subarray(-32).toString('base64url')}`;
  }

  /** The token of a report; times in seconds from now. */
  token({ report, expiresIn = 3600, epoch = 0, flags = 0 }) {
    const payload = Buffer.alloc(29);
    payload.writeUInt8(1, 0);
    payload.writeUInt16BE(this.id, 1);
    Buffer.from(report, 'hex').copy(payload, 3);
    payload.writeUIntBE(Math.floor(Date.now() / 1000) + expiresIn, 19, 5);
    payload.writeUInt32BE(epoch, 24);
    payload.writeUInt8(flags, 28);
    const signature = sign(null, Buffer.concat([DOMAIN, payload]), this.secret);
    return Buffer.concat([payload, signature]).toString('base64url');
  }
}

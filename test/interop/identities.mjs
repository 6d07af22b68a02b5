// Identities sealed by anshim and by an independent HPKE library (@hpke/core),
// each opened by the other.  Called by test/scripts/interop.sh:
//
//   identities.mjs open PEM      reads what anshim has sealed to this key, a JSON
//                                object a line, and exits with 1 if one does not
//                                open; identities.shown.mjs is the code that
//                                docs/identities.md shows
//   identities.mjs seal PUBLIC   seals to this key, in hexadecimal, and prints a
//                                JSON object a line

import { readFileSync } from 'node:fs';
import { ok, rejects, strictEqual } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { open } from './identities.shown.mjs';

async function check(pem) {
  const lines = readFileSync(0, 'utf8').trim().split('\n');
  ok(lines.length > 5);
  for (const line of lines) {
    const [sealed, context, plaintext] = ['sealed', 'context', 'plaintext'].map((name) => Buffer.from(JSON.parse(line)[name], 'hex'));
    const opened = await open(sealed, context, pem);
    strictEqual(opened.toString('hex'), plaintext.toString('hex'));
    await rejects(open(sealed, Buffer.concat([context, Buffer.from([0])]), pem));
    sealed[sealed.length - 1] ^= 1;
    await rejects(open(sealed, context, pem));
  }
  console.log(`${lines.length} identities sealed by anshim open`);
}

async function seal(publicKey) {
  const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Chacha20Poly1305() });
  const header = Buffer.concat([Buffer.from([1, 9]), Buffer.from('authority')]);
  for (const [plaintext, context] of [['Ben', ''], ['Ben', 'row 1'], ['b'.repeat(65536), 'row 2'], ['벤', randomBytes(16)]]) {
    const sender = await suite.createSenderContext({
      recipientPublicKey: await suite.kem.importKey('raw', Buffer.from(publicKey, 'hex'), true),
      info: Buffer.concat([Buffer.from('anshim sealed identity'), header]),
    });
    const ct = Buffer.from(await sender.seal(Buffer.from(plaintext), Buffer.from(context)));
    console.log(JSON.stringify({
      sealed: Buffer.concat([header, Buffer.from(sender.enc), ct]).toString('hex'),
      context: Buffer.from(context).toString('hex'), plaintext: Buffer.from(plaintext).toString('hex'),
    }));
  }
}

await (process.argv[2] === 'seal' ? seal(process.argv[3]) : check(readFileSync(process.argv[3], 'utf8')));

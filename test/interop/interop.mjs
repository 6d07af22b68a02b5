// anshim's tokens and those of an independent COSE library (@auth0/cose, with
// cbor-x), each read by the other.  Called by test/scripts/interop.sh:
//
//   interop.mjs make FOLDER    writes to FOLDER/theirs.hmac a secret, and prints
//                              tokens of its own, a JSON object a line
//   interop.mjs check          reads tokens of anshim, a JSON object a line, and
//                              exits with 1 if anything about one is not right;
//                              tokens.shown.mjs is the verifier of docs/tokens.md

import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert';
import { Mac0, Sign1 } from '@auth0/cose';
import { Encoder, Tag } from 'cbor-x';

const ALG = 1, KID = 4;
const EDDSA = -8, HS256 = 5;
const ISS = 1, EXP = 4, NBF = 5, IAT = 6, CTI = 7, VENUE = -65537, SUBJECT = -65538;
const NAMES = new Map([[ISS, 'iss'], [EXP, 'exp'], [NBF, 'nbf'], [IAT, 'iat'], [CTI, 'cti'], [VENUE, 'venue'], [SUBJECT, 'subject']]);

const cbor = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false, useTag259ForMaps: false });

const uuidBytes = (uuid) => Buffer.from(uuid.replaceAll('-', ''), 'hex');
const uuidTag = (uuid) => new Tag(uuidBytes(uuid), 37);

// A claim's value as the reference of anshim.claims() says.
function toJson(value) {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url');
  if (value instanceof Tag && value.tag === 37) {
    return Buffer.from(value.value).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [String(k), toJson(v)]));
  if (Array.isArray(value)) return value.map(toJson);
  return value;
}
const claimsJson = (claims) => Object.fromEntries([...claims].map(([k, v]) => [NAMES.get(k) ?? String(k), toJson(v)]));

async function make(folder) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const secret = randomBytes(32);
  writeFileSync(`${folder}/theirs.hmac`, secret.toString('base64url'), { mode: 0o600 });
  // the last 32 bytes of an Ed25519 key's SubjectPublicKeyInfo are the key
  const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex');

  const now = Math.floor(Date.now() / 1000);
  const full = [[ISS, 'theirs'], [EXP, now + 3600], [NBF, now - 60], [IAT, now - 60], [CTI, randomBytes(16)],
    [VENUE, uuidTag(randomUUID())], [SUBJECT, uuidTag(randomUUID())]];
  const payloads = [
    new Map(full),
    new Map(),
    new Map([[ISS, 'theirs'], [8, new Map([['a', [1, -1, true, null]], ['b', new Map([[1, 'x']])]])], [100, '서울 🦠'], [-70000, randomBytes(40)]]),
    new Map([[ISS, 'theirs'], [EXP, now - 1]]),
  ];

  for (const [kid, alg, key, Kind] of [['theirs', EDDSA, privateKey, Sign1], ['theirs', HS256, secret, Mac0]]) {
    for (const claims of payloads) {
      const header = [[ALG, alg], [KID, Buffer.from(alg === HS256 ? 'theirs-mac' : kid)]];
      const message = await (Kind === Sign1 ? Sign1.sign : Mac0.create)(header, [], cbor.encode(claims), key);
      console.log(JSON.stringify({
        kid: header[1][1].toString(), algorithm: alg, public_key: point, token: Buffer.from(message.encode()).toString('hex'),
        claims: claimsJson(claims), expired: claims.get(EXP) < now,
      }));
    }
  }
}

async function checkOne(line) {
  const { token, text, claims, algorithm, kid, key } = JSON.parse(line);
  const bytes = Buffer.from(token, 'hex');
  const raw = Buffer.from(key, 'hex');
  const mac = algorithm === 'HMAC 256/256';
  const verifier = mac ? raw : createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), type: 'spki', format: 'der',
  });
  const Kind = mac ? Mac0 : Sign1;

  strictEqual(bytes[0], mac ? 0xd1 : 0xd2);
  const message = Kind.decode(bytes);
  await message.verify(verifier);
  deepStrictEqual([...message.protectedHeaders.keys()], [ALG, KID]);
  strictEqual(message.protectedHeaders.get(ALG), mac ? HS256 : EDDSA);
  strictEqual(Buffer.from(message.protectedHeaders.get(KID)).toString(), kid);
  deepStrictEqual(claimsJson(cbor.decode(message.payload)), claims);

  // it is this very key and these very claims that the signature is over
  const other = Kind.decode(bytes);
  other.payload = Buffer.concat([Buffer.from(other.payload).subarray(0, -1), Buffer.from([other.payload.at(-1) ^ 1])]);
  await rejects(other.verify(verifier));

  if (!mac) {
    const { verify } = await import('./tokens.shown.mjs');
    deepStrictEqual(claimsJson(await verify(text, kid, raw)), claims);
    await rejects(verify(text, 'another', raw));
    await rejects(verify(text, kid, randomBytes(32)));
    await rejects(verify(text.slice(0, -3) + (text.endsWith('000') ? '100' : '000'), kid, raw));
  }
}

if (process.argv[2] === 'make') {
  await make(process.argv[3]);
} else {
  const lines = readFileSync(0, 'utf8').trim().split('\n');
  ok(lines.length > 5);
  for (const line of lines) await checkOne(line);
  console.log(`${lines.length} tokens of anshim verify`);
}

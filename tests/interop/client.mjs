// A client of client-sealed mode that shares no line with Sealgate: hpke-js for X-Wing and X25519,
// bhttp-js for binary HTTP (RFC 9292). Oblivious HTTP (RFC 9458) is written out here from its text.

import { createDecipheriv, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";

import { Aes128Gcm, Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { BHttpDecoder, BHttpEncoder } from "bhttp-js";

const KEMS = [
  { name: "X-Wing", id: 0x647a, publicKeyBytes: 1216, make: () => new XWing() },
  { name: "X25519", id: 0x0020, publicKeyBytes: 32, make: () => new DhkemX25519HkdfSha256() },
];
const AEADS = [
  { name: "AES-256-GCM", id: 2, keyBytes: 32, cipher: "aes-256-gcm", make: () => new Aes256Gcm() },
  { name: "AES-128-GCM", id: 1, keyBytes: 16, cipher: "aes-128-gcm", make: () => new Aes128Gcm() },
];
const KDF_ID = 1;
const TAG_BYTES = 16;
const KEY_PROBLEM = "https://iana.org/assignments/http-problem-types#ohttp-key";

const facts = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ca = readFileSync(facts.ca);
const token = readFileSync(facts.token, "utf8").trim();
const example = readFileSync(facts.example);
const infer = `/v2/models/${facts.model}/infer`;

/** One exchange over TLS, with the demo's own authority. */
function ask(method, path, body, contentType) {
  const headers = { authorization: `Bearer ${token}` };
  if (contentType) headers["content-type"] = contentType;
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(facts.url + path, { method, ca, headers, timeout: 30_000 }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** RFC 9458, section 3.2: the configurations of a list, each after its length. */
function keys(list) {
  const found = [];
  for (let at = 0; at < list.length; at += 2 + list.readUInt16BE(at)) {
    const config = list.subarray(at + 2, at + 2 + list.readUInt16BE(at));
    const kem = KEMS.find((kem) => kem.id === config.readUInt16BE(1));
    if (!kem) continue;
    const suitesAt = 3 + kem.publicKeyBytes + 2;
    const aeads = [];
    for (let suite = suitesAt; suite < config.length; suite += 4) {
      if (config.readUInt16BE(suite) === KDF_ID) aeads.push(config.readUInt16BE(suite + 2));
    }
    found.push({ id: config[0], kem, publicKey: config.subarray(3, suitesAt - 2), aeads });
  }
  return found;
}

/** RFC 9458, sections 4.3 and 4.4: the sealed request, and what opens its answer. */
async function seal(key, aead, message) {
  const header = Buffer.alloc(7);
  header[0] = key.id;
  [key.kem.id, KDF_ID, aead.id].forEach((id, at) => header.writeUInt16BE(id, 1 + 2 * at));
  const suite = new CipherSuite({ kem: key.kem.make(), kdf: new HkdfSha256(), aead: aead.make() });
  const sender = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(own(key.publicKey)),
    info: own(Buffer.concat([Buffer.from("message/bhttp request\0"), header])),
  });
  const sealed = await sender.seal(own(message));
  const enc = Buffer.from(sender.enc);
  const nonceBytes = Math.max(aead.keyBytes, 12);
  const secret = await sender.export(own(Buffer.from("message/bhttp response")), nonceBytes);

  const open = (answer) => {
    const nonce = answer.subarray(0, nonceBytes);
    const salt = Buffer.concat([enc, nonce]);
    const derive = (info, length) =>
      Buffer.from(hkdfSync("sha256", new Uint8Array(secret), salt, info, length));
    const cipher = createDecipheriv(aead.cipher, derive("key", aead.keyBytes), derive("nonce", 12));
    cipher.setAuthTag(answer.subarray(answer.length - TAG_BYTES));
    const opened = cipher.update(answer.subarray(nonceBytes, answer.length - TAG_BYTES));
    return Buffer.concat([opened, cipher.final()]);
  };
  return { request: Buffer.concat([header, enc, Buffer.from(sealed)]), open };
}

/** An ArrayBuffer of its own: a small Buffer is a view into a shared one. */
function own(bytes) {
  return new Uint8Array(bytes).buffer;
}

async function innerRequest() {
  const message = await new BHttpEncoder().encodeRequest(
    new Request(`https://localhost${infer}`, {
      method: "POST",
      headers: { "content-type": "application/json", date: new Date().toUTCString() },
      body: example,
    }),
  );
  // RFC 9292, section 3.8: zeros, here up to a power of two.
  const padded = new Uint8Array(Math.max(1024, 2 ** Math.ceil(Math.log2(message.length))));
  padded.set(message);
  return padded;
}

function probability(body) {
  const [score, ...more] = JSON.parse(body).outputs[0].data;
  return more.length === 0 ? score : NaN;
}

function check(what, holds) {
  if (!holds) {
    console.error(`hpke-js: FAILED: ${what}`);
    process.exit(1);
  }
  console.log(`hpke-js: ${what}`);
}

const isKeyProblem = ({ status, body }) => status === 400 && JSON.parse(body).type === KEY_PROBLEM;
const sendSealed = (request) => ask("POST", infer, request, "message/ohttp-req");

const list = await ask("GET", `/v1/models/${facts.model}/ohttp-keys`);
check("the key list is served", list.status === 200);
check("it has its media type", list.headers["content-type"] === "application/ohttp-keys");
const all = keys(list.body);
check("X-Wing comes first, then X25519", all.map((key) => key.kem.name).join() === "X-Wing,X25519");

const plain = await ask("POST", infer, example, "application/json");
check("the plain call is answered", plain.status === 200);
const expected = probability(plain.body);
check("its answer is a probability", expected >= 0 && expected <= 1);

const message = await innerRequest();
for (const key of all) {
  for (const aead of AEADS) {
    const suite = `${key.kem.name}, ${aead.name}`;
    check(`${suite}: is offered`, key.aeads.includes(aead.id));
    const { request, open } = await seal(key, aead, message);
    const answer = await sendSealed(request);
    check(`${suite}: the sealed request is answered`, answer.status === 200);
    check(`${suite}: by a sealed answer`, answer.headers["content-type"] === "message/ohttp-res");
    const inner = new BHttpDecoder().decodeResponse(new Uint8Array(open(answer.body)));
    check(`${suite}: which says 200 inside`, inner.status === 200);
    check(`${suite}: and carries a receipt`, inner.headers.get("sealgate-receipt")?.startsWith("{"));
    check(`${suite}: with the same probability`, probability(await inner.text()) === expected);
  }
  const { request } = await seal(key, AEADS[0], message);
  request[request.length - 1 - Math.floor(Math.random() * 256)] ^= 1;
  const refused = await sendSealed(request);
  check(`${key.kem.name}: a flipped byte of the ciphertext is refused`, isKeyProblem(refused));
}


// The Web Cryptography API, as far as it goes: SHA, HMAC, ECDSA on P-256, Ed25519, PBKDF2 and HKDF. What a key is made of is
// kept beside it; that it can't be exported is a promise to the script that made it so, not to anyone else.
const materials = new WeakMap();
const domError = (name, message) => Object.assign(new Error(message), { name });
const unsupported = (what) => domError("NotSupportedError", `${what} is not supported`);
const WEB_HASHES = { __proto__: null, "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };
const BLOCK_BITS = { __proto__: null, sha1: 512, sha256: 512, sha384: 1024, sha512: 1024 };
const USAGES = {
  __proto__: null, HMAC: ["sign", "verify"], ECDSA: ["sign", "verify"], Ed25519: ["sign", "verify"],
  PBKDF2: ["deriveKey", "deriveBits"], HKDF: ["deriveKey", "deriveBits"],
};
const algorithmOf = (value) => {
  const given = typeof value === "string" ? { name: value } : options(value, "algorithm");
  const name = string(given.name, "algorithm.name");
  return { ...given, name: Object.keys(USAGES).find((known) => known.toLowerCase() === name.toLowerCase()) ?? name };
};
const webHash = (value) => {
  const name = String(typeof value === "object" && value !== null ? value.name : value).toUpperCase();
  if (!(name in WEB_HASHES)) throw unsupported(`the hash ${name.slice(0, 50)}`);
  return [name, WEB_HASHES[name]];
};
const source = (value, name) => {
  const view = viewed(value);
  if (view === undefined) throw wrongType(name, VIEW, value);
  return view;
};
const inBytes = (value, name) => ({ tag: "bytes", val: source(value, name) });
const isSecret = (type) => type === "secret" || type === "private";

export class CryptoKey {
  constructor(token, type, algorithm, extractable, usages) {
    if (token !== materials) throw coded(new TypeError("Illegal constructor"), "ERR_ILLEGAL_CONSTRUCTOR");
    for (const [name, value] of Object.entries({ type, algorithm, extractable, usages })) {
      Object.defineProperty(this, name, { value, enumerable: true });
    }
  }
  get [Symbol.toStringTag]() { return "CryptoKey"; }
}
function makeKey(material, type, algorithm, extractable, usages) {
  const key = new CryptoKey(materials, type, Object.freeze(algorithm), Boolean(extractable), Object.freeze([...usages]));
  materials.set(key, material);
  return key;
}
function materialOf(key, name, usage) {
  const material = materials.get(key);
  if (material === undefined) throw wrongType("key", "an instance of CryptoKey", key);
  if (key.algorithm.name !== name) throw domError("InvalidAccessError", "Key algorithm mismatch");
  if (!key.usages.includes(usage)) throw domError("InvalidAccessError", `Unable to use this key to ${usage}`);
  return material;
}
function checkUsages(name, usages, allowed = USAGES[name]) {
  if (!Array.isArray(usages)) throw wrongType("keyUsages", "an instance of Array", usages);
  for (const usage of usages) {
    if (!allowed.includes(usage)) throw domError("SyntaxError", `Unsupported key usage for a ${name} key`);
  }
  return usages;
}
const curveOf = (algorithm) => {
  if (algorithm.name === "Ed25519") return "Ed25519";
  if (algorithm.namedCurve !== "P-256") throw unsupported(`the curve ${String(algorithm.namedCurve).slice(0, 50)}`);
  return "P-256";
};
const describe = (algorithm) => (algorithm.name === "ECDSA" ? { name: "ECDSA", namedCurve: "P-256" } : { name: algorithm.name });
const base64url = (value) => encoded(value, "base64url");
const fromBase64url = (text, name) => decoded(string(text, name), "base64url");

function dataOfJwk(jwk, algorithm, curve) {
  const given = options(jwk, "keyData");
  if (algorithm.name === "HMAC") {
    if (given.kty !== "oct") throw domError("DataError", "Invalid JWK \"kty\" parameter");
    return ["secret", fromBase64url(given.k, "keyData.k")];
  }
  const fits = curve === "P-256" ? given.kty === "EC" && given.crv === "P-256" : given.kty === "OKP" && given.crv === "Ed25519";
  if (!fits) throw domError("DataError", "Invalid JWK \"kty\" or \"crv\" parameter");
  const point = [...(curve === "P-256" ? [4] : []), ...fromBase64url(given.x, "keyData.x")];
  if (curve === "P-256") point.push(...fromBase64url(given.y, "keyData.y"));
  const pair = given.d === undefined ? undefined : host.pairOf(curve, fromBase64url(given.d, "keyData.d"));
  if (pair !== undefined && !host.equal(pair.point, Uint8Array.from(point))) throw domError("DataError", "Invalid keyData");
  return pair === undefined ? ["public", Uint8Array.from(point)] : ["private", pair];
}
function importWork(format, keyData, given, extractable, usages) {
  const algorithm = algorithmOf(given), { name } = algorithm;
  if (!(name in USAGES)) throw unsupported(`the algorithm ${name.slice(0, 50)}`);
  if (name === "PBKDF2" || name === "HKDF") {
    if (format !== "raw") throw unsupported(`the format ${String(format).slice(0, 50)}`);
    return makeKey(copied(source(keyData, "keyData")), "secret", { name }, false, checkUsages(name, usages));
  }
  if (name === "HMAC") {
    const [hashName] = webHash(algorithm.hash);
    if (format !== "raw" && format !== "jwk") throw unsupported(`the format ${String(format).slice(0, 50)}`);
    const material = format === "raw" ? copied(source(keyData, "keyData")) : dataOfJwk(keyData, algorithm)[1];
    if (material.length === 0) throw domError("DataError", "Zero-length key is not supported");
    if (checkUsages(name, usages).length === 0) throw domError("SyntaxError", "Usages cannot be empty when importing a secret key");
    return makeKey(material, "secret", { name, hash: { name: hashName }, length: material.length * 8 }, extractable, usages);
  }
  const curve = curveOf(algorithm);
  let type, material;
  try {
    if (format === "jwk") [type, material] = dataOfJwk(keyData, algorithm, curve);
    else if (format === "pkcs8") [type, material] = ["private", host.pairOf(curve, source(keyData, "keyData"))];
    else if (format === "raw" || format === "spki") [type, material] = ["public", source(keyData, "keyData")];
    else throw unsupported(`the format ${String(format).slice(0, 50)}`);
    if (type === "public") material = { point: host.convertKey(curve, material, "point") };
  } catch (error) {
    throw error?.code === "ERR_CRYPTO_INVALID_KEY" ? domError("DataError", "Invalid keyData") : error;
  }
  checkUsages(name, usages, [type === "private" ? "sign" : "verify"]);
  if (type === "private" && usages.length === 0) throw domError("SyntaxError", "Usages cannot be empty when importing a private key");
  return makeKey(material, type, describe(algorithm), type === "public" || extractable, usages);
}
function exportWork(format, key) {
  const material = materials.get(key);
  if (material === undefined) throw wrongType("key", "an instance of CryptoKey", key);
  if (!key.extractable) throw domError("InvalidAccessError", "key is not extractable");
  const { name } = key.algorithm, common = { key_ops: [...key.usages], ext: key.extractable };
  if (name === "HMAC") {
    if (format === "raw") return toArrayBuffer(material);
    if (format === "jwk") return { kty: "oct", k: base64url(material), alg: `HS${key.algorithm.hash.name.slice(4)}`, ...common };
  } else {
    const curve = name === "ECDSA" ? "P-256" : "Ed25519", { point, secret } = material, isPublic = key.type === "public";
    if (format === "raw" && isPublic) return toArrayBuffer(point);
    if (format === "spki" && isPublic) return toArrayBuffer(host.convertKey(curve, point, "public-der"));
    if (format === "pkcs8" && !isPublic) return toArrayBuffer(host.convertKey(curve, secret, "secret-der"));
    if (format === "jwk") {
      const parts = curve === "P-256"
        ? { kty: "EC", crv: curve, x: base64url(point.slice(1, 33)), y: base64url(point.slice(33)) }
        : { kty: "OKP", crv: curve, x: base64url(point) };
      return { ...common, ...parts, ...(isPublic ? {} : { d: base64url(secret) }) };
    }
  }
  throw unsupported(`the format ${String(format).slice(0, 50)} for this key`);
}
function generateWork(given, extractable, usages) {
  const algorithm = algorithmOf(given), { name } = algorithm;
  if (name === "HMAC") {
    const [hashName, known] = webHash(algorithm.hash);
    const length = algorithm.length === undefined ? BLOCK_BITS[known] : integer(algorithm.length, "algorithm.length", 8, 65536);
    if (checkUsages(name, usages).length === 0) throw domError("SyntaxError", "Usages cannot be empty when creating a key.");
    return makeKey(host.randomBytes(Math.ceil(length / 8)), "secret", { name, hash: { name: hashName }, length }, extractable, usages);
  }
  if (name !== "ECDSA" && name !== "Ed25519") throw unsupported(`the algorithm ${name.slice(0, 50)}`);
  const curve = curveOf(algorithm);
  if (!checkUsages(name, usages).includes("sign")) throw domError("SyntaxError", "Usages cannot be empty when creating a key.");
  const pair = host.pairOf(curve, null);
  return {
    publicKey: makeKey({ point: pair.point }, "public", describe(algorithm), true, usages.filter((usage) => usage === "verify")),
    privateKey: makeKey(pair, "private", describe(algorithm), extractable, ["sign"]),
  };
}
function signWork(given, key, data) {
  const algorithm = algorithmOf(given), { name } = algorithm, material = materialOf(key, name, "sign");
  if (name === "HMAC") {
    return toArrayBuffer(hashed(webHash(key.algorithm.hash)[1], { tag: "bytes", val: material }, EMPTY, [inBytes(data, "data")]));
  }
  const digest = name === "ECDSA" ? webHash(algorithm.hash)[1] : "";
  return toArrayBuffer(host.sign(curveOf(key.algorithm), digest, material.secret, source(data, "data")));
}
function verifyWork(given, key, signature, data) {
  const algorithm = algorithmOf(given), { name } = algorithm, material = materialOf(key, name, "verify");
  const against = source(signature, "signature");
  if (name === "HMAC") {
    const mac = hashed(webHash(key.algorithm.hash)[1], { tag: "bytes", val: material }, EMPTY, [inBytes(data, "data")]);
    return host.equal(mac, against);
  }
  const digest = name === "ECDSA" ? webHash(algorithm.hash)[1] : "";
  return host.verify(curveOf(key.algorithm), digest, material.point, against, source(data, "data"));
}
function deriveWork(given, key, length) {
  const algorithm = algorithmOf(given), { name } = algorithm;
  if (name !== "PBKDF2" && name !== "HKDF") throw unsupported(`the algorithm ${name.slice(0, 50)}`);
  const material = { tag: "bytes", val: materialOf(key, name, "deriveBits") }, salt = inBytes(algorithm.salt, "algorithm.salt");
  const digest = webHash(algorithm.hash)[1];
  if (integer(length, "length", 0, UINT_MAX) % 8 !== 0) throw domError("OperationError", "length must be a multiple of 8");
  const how = name === "HKDF"
    ? { tag: "hkdf", val: { digest, key: material, salt, info: inBytes(algorithm.info, "algorithm.info") } }
    : { tag: "pbkdf2", val: { digest, password: material, salt, iterations: integer(algorithm.iterations, "algorithm.iterations", 1, UINT_MAX) } };
  return toArrayBuffer(host.derive(how, length / 8));
}
export const subtle = Object.freeze({
  async digest(algorithm, data) { return toArrayBuffer(hashed(webHash(algorithm)[1], null, EMPTY, [inBytes(data, "data")])); },
  async importKey(format, keyData, algorithm, extractable, keyUsages) { return importWork(format, keyData, algorithm, extractable, keyUsages); },
  async exportKey(format, key) { return exportWork(format, key); },
  async generateKey(algorithm, extractable, keyUsages) { return generateWork(algorithm, extractable, keyUsages); },
  async sign(algorithm, key, data) { return signWork(algorithm, key, data); },
  async verify(algorithm, key, signature, data) { return verifyWork(algorithm, key, signature, data); },
  async deriveBits(algorithm, key, length) { return deriveWork(algorithm, key, length); },
});
export const webcrypto = Object.freeze({ subtle, getRandomValues, randomUUID, CryptoKey });
if (web.subtle === undefined) {
  Object.defineProperty(web, "subtle", { value: subtle, configurable: true, enumerable: true });
}

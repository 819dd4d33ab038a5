// Programs as scripts want them. What may run, and for how long, is decided on the host.
import host from "host:exec";

const SIGNALS = { __proto__: null, SIGHUP: "hup", SIGINT: "int", SIGTERM: "term", SIGKILL: "kill" };
const NAMES = { __proto__: null, 1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ" };

const decode = (data) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
const encode = (input) => (typeof input === "string" ? new TextEncoder().encode(input) : input);

function given(name, program, args, options) {
  if (typeof program !== "string") throw new TypeError(`${name}: argument 1 (program): expected a string`);
  if (!Array.isArray(args)) throw new TypeError(`${name}: argument 2 (args): expected an array`);
  const texts = args.map((arg) => {
    if (typeof arg !== "string" && typeof arg !== "number") throw new TypeError(`${name}: argument 2 (args): expected strings`);
    return String(arg);
  });
  const { cwd, env = {}, input, timeout } = options ?? {};
  const variables = Object.entries(env).map(([variable, value]) => [variable, String(value)]);
  return [program, texts, { cwd, env: variables, input: input === undefined || input === null ? null : encode(input), timeoutMs: timeout }];
}

const ended = ({ status, signal }) => ({ status, signal: signal === null ? null : NAMES[signal] ?? `SIG${signal}` });

/** Runs a program to its end and answers what it wrote to both streams. A status other than 0 is an Error. */
export function run(program, args = [], options = undefined) {
  const answer = host.runSync(...given("run", program, args, options));
  const output = decode(answer.data);
  const { status, signal } = ended(answer.ended);
  if (status === 0) return output;
  const how = status === null ? `was killed by ${signal}` : `ended with status ${status}`;
  const error = new Error(`${program} ${how}${output && `: ${output.trimEnd().slice(-1000)}`}`);
  throw Object.assign(error, { code: "EXIT_STATUS", status, signal, output });
}

/** Runs a program to its end, whatever its status. `encoding: null`: what it wrote are bytes. */
export async function execFile(program, args = [], options = undefined) {
  const answer = await host.run(...given("execFile", program, args, options));
  const shaped = options?.encoding === null ? (data) => data : decode;
  return { stdout: shaped(answer.stdout), stderr: shaped(answer.stderr), ...ended(answer.ended) };
}

class Process {
  #id;
  #listeners = { __proto__: null };
  #decoders;
  #taken = false;
  #settle;
  #ended;
  constructor(id, encoding) {
    this.#id = id;
    const decoder = () => new TextDecoder("utf-8", { ignoreBOM: true });
    this.#decoders = encoding === null ? undefined : { stdout: decoder(), stderr: decoder() };
    this.#ended = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#ended.catch(() => {});
  }
  async #next() {
    try {
      const { tag, val } = await host.next(this.#id);
      if (tag === "ended") {
        this.#settle.resolve(ended(val));
        this.#emit("exit", ended(val));
        return undefined;
      }
      const data = this.#decoders ? this.#decoders[tag].decode(val, { stream: true }) : val;
      this.#emit(tag, data);
      return { stream: tag, data };
    } catch (error) {
      this.#settle.reject(error);
      this.#emit("error", error);
      throw error;
    }
  }
  #emit(event, value) {
    for (const listener of this.#listeners[event] ?? []) listener(value);
  }
  #flow() {
    if (this.#taken) return;
    this.#taken = true;
    (async () => { while (await this.#next()); })().catch(() => {});
  }
  async *[Symbol.asyncIterator]() {
    if (this.#taken) throw new Error("spawn: what this program writes is taken already");
    this.#taken = true;
    for (let said; (said = await this.#next()); ) yield said;
  }
  on(event, listener) {
    (this.#listeners[event] ??= []).push(listener);
    this.#flow();
    return this;
  }
  wait() {
    this.#flow();
    return this.#ended;
  }
  kill(signal = "SIGTERM") {
    const known = SIGNALS[signal];
    if (known === undefined) throw new TypeError(`kill: '${String(signal)}' is none of ${Object.keys(SIGNALS).join(", ")}`);
    host.kill(this.#id, known);
  }
}

/** Starts a program. `for await` what it writes, or listen to `stdout`, `stderr`, `exit` and `error`. */
export function spawn(program, args = [], options = undefined) {
  return new Process(host.spawn(...given("spawn", program, args, options)), options?.encoding);
}

// Node has these as `timers/promises`.
const TIME_MAX = 2147483647;
function time(ms, name) {
  if (typeof ms !== "number") throw wrongType(name, "of type number", ms);
  if (!(ms >= 0 && ms <= TIME_MAX)) throw outOfRange(name, `>= 0 && <= ${TIME_MAX}`, ms);
  return ms;
}
function signalOf(value) {
  const { signal } = options(value);
  if (signal !== undefined && (typeof signal !== "object" || signal === null || !("aborted" in signal))) {
    throw wrongType("options.signal", "an instance of AbortSignal", signal);
  }
  return signal;
}
function aborted(signal) {
  const error = new Error("The operation was aborted", { cause: signal.reason });
  error.name = "AbortError";
  return coded(error, "ABORT_ERR");
}
export function sleep(ms, value, options_) {
  const waits = time(ms, "ms"), signal = signalOf(options_);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const stop = () => { clearTimeout(timer); reject(aborted(signal)); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(value); }, waits);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
export async function* every(ms, options_) {
  const { times = Infinity } = options(options_), signal = signalOf(options_);
  time(ms, "ms");
  if (times !== Infinity) integer(times, "options.times", 0, Number.MAX_SAFE_INTEGER);
  const begin = Date.now();
  for (let count = 0; count < times; count++) {
    // From the beginning, so that what the script does in between does not add up.
    await sleep(Math.max(0, begin + (count + 1) * ms - Date.now()), undefined, { signal });
    yield count;
  }
}

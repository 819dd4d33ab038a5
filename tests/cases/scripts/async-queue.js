// Jobs through a queue: so many at once, retries that wait longer each time, a deadline, and a way to give up.
// flags: --module events --module timers --module util
// within-ms: 20000
const { EventEmitter, once } = require('events');
const { setTimeout: sleep } = require('timers/promises');
const util = require('util');

class Queue extends EventEmitter {
  #waiting = []; #running = 0;
  constructor({ concurrency, retries = 3, backoff = 5, signal }) {
    super();
    Object.assign(this, { concurrency, retries, backoff, signal, peak: 0 });
    signal?.addEventListener('abort', () => {
      for (const job of this.#waiting.splice(0)) job.reject(signal.reason);
    }, { once: true });
  }
  add(name, work) {
    const { promise, resolve, reject } = withResolvers();
    this.#waiting.push({ name, work, resolve, reject });
    queueMicrotask(() => this.#next());
    return promise;
  }
  get size() { return this.#waiting.length + this.#running; }
  async #attempt({ name, work }) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work({ attempt, signal: this.signal });
      } catch (error) {
        if (this.signal?.aborted || attempt > this.retries) throw new Error(`${name} failed after ${attempt} attempts`, { cause: error });
        this.emit('retry', name, attempt, error.message);
        await sleep(this.backoff * 2 ** (attempt - 1), undefined, { signal: this.signal });
      }
    }
  }
  #next() {
    while (this.#running < this.concurrency && this.#waiting.length > 0) {
      const job = this.#waiting.shift();
      this.peak = Math.max(this.peak, ++this.#running);
      this.emit('start', job.name);
      this.#attempt(job).then(job.resolve, job.reject).finally(() => {
        this.#running--;
        this.emit('done', job.name);
        if (this.size === 0) this.emit('idle');
        this.#next();
      });
    }
  }
}
function withResolvers() {
  const all = {};
  all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
}

const queue = new Queue({ concurrency: 3 });
const started = [], retried = [];
queue.on('start', (name) => started.push(name));
queue.on('retry', (name, attempt, why) => retried.push(`${name}#${attempt}: ${why}`));
const idle = once(queue, 'idle');
const results = await Promise.all(Array.from({ length: 12 }, (_, at) => queue.add(`job-${at}`, async () => { await sleep(5); return at * at; })));
await idle;
console.log(results.join(), queue.peak, started.length, queue.size); // expect: 0,1,4,9,16,25,36,49,64,81,100,121 3 12 0

// One is flaky, one is hopeless.
const flaky = ({ attempt }) => (attempt < 3 ? Promise.reject(new Error('busy')) : `done at ${attempt}`);
const settled = await Promise.allSettled([
  queue.add('flaky', flaky),
  queue.add('hopeless', () => { throw new TypeError('no such thing'); }),
]);
console.log(util.inspect(settled.map(({ status, value, reason }) => [status, value ?? `${reason.message}: ${reason.cause.name}`]), { breakLength: 200 })); // expect: [ [ 'fulfilled', 'done at 3' ], [ 'rejected', 'hopeless failed after 4 attempts: TypeError' ] ]
console.log(retried.sort().join('\n'));
// expect: flaky#1: busy
// expect: flaky#2: busy
// expect: hopeless#1: no such thing
// expect: hopeless#2: no such thing
// expect: hopeless#3: no such thing

// A deadline for all of what is left.
const controller = new AbortController();
const limited = new Queue({ concurrency: 2, signal: controller.signal });
const slow = ['a', 'b', 'c', 'd'].map((name) => limited.add(name, ({ signal }) => sleep(name === 'a' ? 1 : 60_000, name, { signal })));
setTimeout(() => controller.abort(new Error('the deadline has passed')), 40);
for (const { status, value, reason } of await Promise.allSettled(slow)) console.log(status, value ?? reason.message, reason?.cause?.name);
// expect: fulfilled a undefined
// expect: rejected b failed after 1 attempts AbortError
// expect: rejected c failed after 1 attempts AbortError
// expect: rejected the deadline has passed undefined
console.log(controller.signal.aborted, controller.signal.reason.message); // expect: true the deadline has passed

// As fast as comes, but one report for all that is told within a moment.
const debounce = (f, ms) => { let timer; return (...args) => { clearTimeout(timer); timer = setTimeout(f, ms, ...args); }; };
const told = [];
const tell = debounce((text) => told.push(text), 10);
for (const text of ['one', 'two', 'three']) tell(text);
let ticks = 0;
await new Promise((resolve) => { const timer = setInterval(() => { if (++ticks === 5) { clearInterval(timer); resolve(); } }, 5); });
await sleep(20);
console.log(told.join(), ticks); // expect: three 5
const order = [];
setTimeout(() => order.push('timer'), 0);
setImmediate(() => order.push('immediate'));
Promise.resolve().then(() => order.push('promise'));
queueMicrotask(() => order.push('microtask'));
order.push('script');
await sleep(5);
console.log(order.slice(0, 3).join(), order.slice(3).sort().join()); // expect: script,promise,microtask immediate,timer
console.log(await Promise.race([sleep(1000, 'late'), sleep(1, 'early')]), await Promise.any([Promise.reject(new Error('x')), sleep(1, 'any')])); // expect: early any
try { await sleep(1000, null, { signal: AbortSignal.timeout(5) }); } catch (e) { console.log(e.name, e.code, e.cause.name); } // expect: AbortError ABORT_ERR TimeoutError

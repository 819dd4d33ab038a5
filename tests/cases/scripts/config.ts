// A configuration in YAML, checked into classes, and a small plan of tasks that tells what it does.
// flags: --module yaml --module events --module fs --module util --module assert --root ROOT
// file: defaults.yaml retries: 2
import { EventEmitter } from 'events';
import fs from 'fs';
import util from 'util';
import assert from 'assert';
import { parse, stringify } from 'yaml';

type Level = 'debug' | 'info' | 'error';
interface TaskConfig { name: string; needs?: string[]; retries?: number; env?: Record<string, string> }
interface Config { version: number; level: Level; tasks: TaskConfig[] }
enum State { Waiting = 'waiting', Done = 'done', Failed = 'failed' }

class ConfigError extends Error {
  constructor(readonly field: string, message: string) {
    super(`${field}: ${message}`);
    this.name = 'ConfigError';
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function load(text: string): Config {
  const raw: unknown = parse(text);
  if (!isRecord(raw)) throw new ConfigError('(all)', 'expected a mapping');
  if (raw.version !== 1) throw new ConfigError('version', `expected 1, got ${util.inspect(raw.version)}`);
  if (!Array.isArray(raw.tasks)) throw new ConfigError('tasks', 'expected a list');
  const seen = new Set<string>();
  for (const [at, task] of raw.tasks.entries()) {
    if (!isRecord(task) || typeof task.name !== 'string') throw new ConfigError(`tasks[${at}].name`, 'expected text');
    if (seen.has(task.name)) throw new ConfigError(`tasks[${at}].name`, `'${task.name}' is there twice`);
    seen.add(task.name);
  }
  return { level: 'info', ...raw } as unknown as Config;
}

class Task {
  state: State = State.Waiting;
  attempts = 0;
  constructor(public readonly config: TaskConfig, private readonly defaults: { retries: number }) {}
  get name(): string { return this.config.name; }
  get retries(): number { return this.config.retries ?? this.defaults.retries; }
}

type Work = (task: Task) => Promise<void> | void;
class Plan extends EventEmitter {
  readonly #tasks = new Map<string, Task>();
  constructor(config: Config, defaults: { retries: number }) {
    super();
    for (const one of config.tasks) this.#tasks.set(one.name, new Task(one, defaults));
  }
  order(): Task[] {
    const out: Task[] = [];
    const visit = (task: Task, path: string[]): void => {
      if (path.includes(task.name)) throw new ConfigError('needs', [...path, task.name].join(' -> '));
      if (out.includes(task)) return;
      for (const need of task.config.needs ?? []) {
        const found = this.#tasks.get(need);
        if (!found) throw new ConfigError(`${task.name}.needs`, `there is no task '${need}'`);
        visit(found, [...path, task.name]);
      }
      out.push(task);
    };
    for (const task of this.#tasks.values()) visit(task, []);
    return out;
  }
  async run(work: Work): Promise<Map<State, number>> {
    const count = new Map<State, number>();
    for (const task of this.order()) {
      while (task.state === State.Waiting) {
        try {
          task.attempts++;
          await work(task);
          task.state = State.Done;
        } catch (error: unknown) {
          this.emit('failure', task, error as Error);
          if (task.attempts > task.retries) task.state = State.Failed;
        }
      }
      this.emit('end', task);
      count.set(task.state, (count.get(task.state) ?? 0) + 1);
    }
    return count;
  }
}

const text = `
version: 1
base: &base { TZ: UTC, LANG: C }
tasks:
  - name: deploy
    needs: [build, test]
    retries: 0
  - name: build
    env: { <<: *base, MODE: release }
  - name: test
    needs: [build]
    env: *base
    notes: |
      two lines
      of text
`;
const defaults = parse(fs.readFileSync('defaults.yaml', 'utf8')) as { retries: number };
const config = load(text);
console.log(config.level, util.inspect(config.tasks[1])); // expect: info { name: 'build', env: { MODE: 'release', TZ: 'UTC', LANG: 'C' } }
const plan = new Plan(config, defaults);
const log: string[] = [];
plan.on('end', (task: Task) => log.push(`${task.name} ${task.state} (${task.attempts})`));
plan.once('failure', (task: Task, { message }: Error) => log.push(`${task.name}: ${message}`));
const counts = await plan.run((task) => {
  if (task.name === 'test' && task.attempts < 3) throw new Error('flaky');
  if (task.name === 'deploy') throw new Error('no way');
});
console.log(log.join(', ')); // expect: build done (1), test: flaky, test done (3), deploy failed (1)
console.log(counts, plan.listenerCount('failure'), plan.eventNames()); // expect: Map(2) { 'done' => 2, 'failed' => 1 } 0 [ 'end' ]

for (const wrong of ['- 1', 'version: 2', 'version: 1', 'version: 1\ntasks: [{ name: a }, { name: a }]', 'version: 1\ntasks: [{ nam: a }]', 'a: [1'])
  try { load(wrong); console.log('taken'); } catch (e) { console.log((e as Error).name, e instanceof ConfigError ? `${e.field} | ${e.message}` : (e as { code?: string }).code); }
// expect: ConfigError (all) | (all): expected a mapping
// expect: ConfigError version | version: expected 1, got 2
// expect: ConfigError tasks | tasks: expected a list
// expect: ConfigError tasks[1].name | tasks[1].name: 'a' is there twice
// expect: ConfigError tasks[0].name | tasks[0].name: expected text
// expect: Error ERR_YAML
const circle = new Plan(load('version: 1\ntasks: [{ name: a, needs: [b] }, { name: b, needs: [a] }]'), defaults);
assert.throws(() => circle.order(), { name: 'ConfigError', message: 'needs: a -> b -> a' });
await assert.rejects(circle.run(() => {}), ConfigError);
const saved = { version: 1, level: 'error' satisfies Level, tasks: plan.order().map(({ config: { name, needs = [] } }) => ({ name, needs })) };
fs.writeFileSync('plan.yaml', stringify(saved));
assert.deepStrictEqual(parse(fs.readFileSync('plan.yaml', 'utf8')), saved);
console.log(load(fs.readFileSync('plan.yaml', 'utf8')).tasks.map((task) => task.name).join()); // expect: build,test,deploy

// Types are blanks: what is left runs where it stood.
// exit: 1
// expect-error: types.ts:22:36
// expect-error: at sell (types.ts:22:36)
// expect-error: RangeError: out of cheese
interface Cheese {
  readonly name: string;
  age?: number;
}
type Named<T extends { name: string }> = T['name'];
abstract class Shop<T> {
  private readonly shelf: T[] = [];
  static open?: boolean;
  abstract find(name: string): T | undefined;
  put(this: Shop<T>, item: T, ...more: T[]): this { this.shelf.push(item, ...more); return this }
  protected get count(): number { return this.shelf.length! }
  toString(): string { return `${this.count} of them` }
}
class CheeseShop extends Shop<Cheese> implements Iterable<Cheese> {
  find(name: Named<Cheese>): Cheese | undefined { return undefined }
  *[Symbol.iterator](): Generator<Cheese> { }
  sell(): never { const e: Error = new RangeError('out of cheese'); return fail(e as RangeError) }
}
console.log(String(new CheeseShop().put({ name: 'brie' } satisfies Cheese))); // expect: 1 of them
const pick = <T,>(a: T, b?: T): T => b ?? a;
console.log(pick<number>(1), pick(1, 2 as const)); // expect: 1 2
try {
  new CheeseShop().sell();
} catch (e: unknown) {
  console.log((e as Error).stack!.includes('types.ts:22:36')); // expect: true
}
function fail(e: Error): never { throw e }
new CheeseShop().sell();
